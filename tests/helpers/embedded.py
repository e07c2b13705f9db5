"""An embedded lab for tests: its state directory and ports, and `fleetops` commands for it. Fixtures: conftest.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.names import ENV_RATE, ENV_TRACE_SLOW
from lab.paths import ROOT, Home, Ports
from lab.stack.health.status import gather
from lab.stack.processes import orphans
from lab.stack.processes.supervision import ProcessRow

START_SECONDS = 240
# Requests a second, a third of the usual: most tests need few, and a lab at the usual rate takes twice the time.
LIGHT_RATE = 25
# A drill takes about two minutes, including its steady state. By default only INC-001 and an aborted drill are run.
more_drills = pytest.mark.skipif(
    not os.environ.get("DRILLS"), reason="another drill of about two minutes: make test DRILLS=1 runs it"
)


@dataclass(frozen=True)
class EmbeddedLab:
    """A lab: its state directory, its ports, and the environment of its commands."""

    home: Home
    ports: Ports
    env: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        """The argument list of `fleetops ARGUMENTS`."""
        return [sys.executable, "-m", "lab.cli.main", *arguments]

    def fleetops(self, *arguments: str, timeout: float = START_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run `fleetops ARGUMENTS` for this lab; callers check the exit status."""
        return subprocess.run(
            self.command(*arguments),
            env=self.env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def up(self) -> None:
        """Start the lab. Fails with the command's output."""
        done = self.fleetops("up", "--detach")
        assert done.returncode == 0, f"fleetops up: {done.stdout}{done.stderr}"

    def status(self) -> dict[str, Any]:
        """The output of `fleetops status --json`."""
        status: dict[str, Any] = json.loads(self.fleetops("status", "--json").stdout)
        return status

    def ready(self) -> bool:
        """Whether the lab is ready; without a command, which takes half a second to start."""
        return gather(self.home, self.ports).ready

    def processes(self) -> dict[str, ProcessRow]:
        """The processes in the status, by name."""
        return {row.name: row for row in gather(self.home, self.ports).processes}

    def pid(self, name: str) -> int:
        """The process id of a running program."""
        pid = self.processes()[name].pid
        assert pid is not None, f"{name} is not running"
        return pid

    def leftovers(self) -> list[int]:
        """Ids of this lab's processes that still exist."""
        return [process.pid for process in orphans.find(self.home)]

    def listening(self) -> list[int]:
        """Ports of this lab that have a listener."""
        return [port for port in range(self.ports.base, self.ports.base + 100) if not orphans.port_free(port)]


def free_base() -> int:
    """The first of a hundred free ports, below the kernel's range of ephemeral ports."""
    start = 20000 + os.getpid() % 100 * 100
    for base in (20000 + (start - 20000 + step * 100) % 12000 for step in range(120)):
        if all(orphans.port_free(port) for port in range(base, base + 100)):
            return base
    raise RuntimeError("no hundred free ports between 20000 and 32000")


def make_lab(folder: Path, tools: dict[str, Path]) -> EmbeddedLab:
    """A lab in `folder` on free ports, not started."""
    base = free_base()
    env = {
        **os.environ,
        "FLEETOPS_HOME": str(folder),
        "FLEETOPS_PORT_BASE": str(base),
        ENV_TRACE_SLOW: "0.2",
        ENV_RATE: str(LIGHT_RATE),
        "PATH": f"{tools['prometheus'].parent}{os.pathsep}{os.environ['PATH']}",
    }
    return EmbeddedLab(Home(folder), Ports(base), env)


@contextmanager
def state_directory() -> Iterator[Path]:
    """A folder for a lab. Not in pytest's own: each new pytest resets its mode and locks PostgreSQL's user out."""
    with tempfile.TemporaryDirectory(prefix="fleetops-") as folder:
        yield Path(folder) / "home"


@contextmanager
def stopped_afterwards(tools: dict[str, Path]) -> Iterator[EmbeddedLab]:
    """A lab that is not started. It is stopped afterwards in any case, and no process of it may be left."""
    with state_directory() as folder:
        lab = make_lab(folder, tools)
        yield lab
        lab.fleetops("down")
        assert not lab.leftovers()
