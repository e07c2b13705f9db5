"""One embedded lab: where it lives, and how to type `fleetops` at it. The fixtures are in conftest.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.paths import ROOT, Home, Ports
from lab.stack.processes import orphans

START_SECONDS = 240
# With its steady state before it a drill is some two minutes; there is time for INC-001 and for one that is killed.
more_drills = pytest.mark.skipif(
    not os.environ.get("DRILLS"), reason="a drill of some two minutes more: make test DRILLS=1 runs it"
)


@dataclass(frozen=True)
class EmbeddedLab:
    """One lab: where it lives, and how to type `fleetops` at it."""

    home: Home
    ports: Ports
    env: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        """The argument list of `fleetops ARGUMENTS`."""
        return [sys.executable, "-m", "lab.cli.main", *arguments]

    def fleetops(self, *arguments: str, timeout: float = START_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run `fleetops ARGUMENTS` against this lab; the exit status is the caller's to judge."""
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
        """Start it, or fail with what it said."""
        done = self.fleetops("up", "--detach")
        assert done.returncode == 0, f"fleetops up: {done.stdout}{done.stderr}"

    def status(self) -> dict[str, Any]:
        """`fleetops status --json`."""
        answer: dict[str, Any] = json.loads(self.fleetops("status", "--json").stdout)
        return answer

    def process(self, name: str) -> dict[str, Any]:
        """One row of the status."""
        return next(row for row in self.status()["processes"] if row["name"] == name)

    def leftovers(self) -> list[int]:
        """Process ids of this lab that exist now."""
        return [process.pid for process in orphans.find(self.home)]

    def listening(self) -> list[int]:
        """Ports of this lab on which somebody listens."""
        return [port for port in range(self.ports.base, self.ports.base + 100) if not orphans.port_free(port)]


def free_base() -> int:
    """The first of a hundred free ports, below the range from which the kernel gives out its own."""
    start = 20000 + os.getpid() % 100 * 100
    for base in (20000 + (start - 20000 + step * 100) % 12000 for step in range(120)):
        if all(orphans.port_free(port) for port in range(base, base + 100)):
            return base
    raise RuntimeError("no hundred free ports between 20000 and 32000")


def make_lab(folder: Path, tools: dict[str, Path]) -> EmbeddedLab:
    """A lab that is not started, in `folder`, on free ports."""
    base = free_base()
    env = {
        **os.environ,
        "FLEETOPS_HOME": str(folder),
        "FLEETOPS_PORT_BASE": str(base),
        "PATH": f"{tools['prometheus'].parent}{os.pathsep}{os.environ['PATH']}",
    }
    return EmbeddedLab(Home(folder), Ports(base), env)
