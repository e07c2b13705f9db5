"""Ports in use, and processes left by a lab that was not shut down."""

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
    """Whether a listener can be opened on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ignore connections in TIME_WAIT
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """The listener on `port`, e.g. "python3 (pid 4711)", or "a process of another user" when it is not visible."""
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
    """Check that every (program, port) is free. Raises LabError with the first that is not, and its holder."""
    for name, port in needed:
        if not port_free(port):
            raise LabError(
                f"port {port} for {name} is in use by {holder(port)}; "
                "stop that process, or move the lab with FLEETOPS_PORT_BASE"
            )


def find(home: Home) -> list[psutil.Process]:
    """The processes of the lab in `home`, whatever their parent is now."""
    mark, processes = str(home.path), {}
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                processes[process.pid] = process
        except (psutil.Error, OSError):
            continue
    for process in _postgres(home):
        processes[process.pid] = process
    return list(processes.values())


def _postgres(home: Home) -> list[psutil.Process]:
    """The PostgreSQL processes of this lab, by pid file: their process titles overwrite their environment."""
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
    """Stop processes: SIGTERM, then SIGKILL after GRACE_SECONDS."""
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
