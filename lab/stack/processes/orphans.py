"""Processes and ports: who holds one, and what a lab that ended badly has left behind."""

from __future__ import annotations

import socket
from collections.abc import Iterable

import psutil

from lab.errors import LabError
from lab.paths import LOOPBACK, Home
from lab.stack.backends import postgres
from lab.stack.processes.supervision import MARK

GRACE_SECONDS = 5.0


def port_free(port: int) -> bool:
    """Whether a listener could be opened on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger are no listener
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Who listens on `port`, e.g. "python3 (pid 4711)"; says so when this user may not see it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:
        connections = []
    for connection in connections:
        if (
            connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
            and connection.pid
        ):
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.Error:
                return f"pid {connection.pid}"
    return "a process of another user"


def require_free(needed: Iterable[tuple[str, int]]) -> None:
    """See that every (program, port) can be opened. Raises LabError naming the first that cannot, and who holds it."""
    for name, port in needed:
        if not port_free(port):
            raise LabError(
                f"port {port} for {name} is held by {holder(port)}; "
                "stop that process, or move the lab with FLEETOPS_PORT_BASE"
            )


def find(home: Home) -> list[psutil.Process]:
    """Processes of the lab in `home`, whoever their parent is now."""
    mark, found = str(home.path), {}
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                found[process.pid] = process
        except (psutil.Error, OSError):
            continue
    for process in _postgres(home):
        found[process.pid] = process
    return list(found.values())


def _postgres(home: Home) -> list[psutil.Process]:
    """PostgreSQL of this lab: it writes its process titles over its environment, so its own pid file tells."""
    data = postgres.directory(home)
    try:
        pid = int((data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        server = psutil.Process(pid)
        if str(data) in server.cmdline():
            return [server, *server.children(recursive=True)]
    except (OSError, ValueError, IndexError, psutil.Error):
        pass
    return []


def end(processes: list[psutil.Process]) -> None:
    """Stop processes: ask, wait, then insist."""
    for process in processes:
        _send(process, "terminate")
    _, alive = psutil.wait_procs(processes, timeout=GRACE_SECONDS)
    for process in alive:
        _send(process, "kill")
    psutil.wait_procs(alive, timeout=GRACE_SECONDS)


def _send(process: psutil.Process, verb: str) -> None:
    try:
        getattr(process, verb)()
    except psutil.Error:
        return
