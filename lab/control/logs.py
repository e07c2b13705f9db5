"""Log actions: change the log level of a running service, and rotate its logs."""

from __future__ import annotations

from lab.clients.http import JsonClient
from lab.clients.pager import read_token
from lab.control.lab_clients import LabClients
from lab.errors import UsageError
from lab.stack import logfiles, replicas
from lab.stack.programs import Program, url
from lab.telemetry.settings import LOG_LEVELS

# Processes without an admin API: their log level is fixed at the start.
FIXED = ("pager", "console")


def levels(clients: LabClients, service: str) -> dict[str, str]:
    """The log level of each replica of `service`, by process. Raises UsageError, NotRunning."""
    return {
        program.name: str(_client(clients, program).call("GET", "/admin/log")["level"])
        for program in _adjustable(clients, service)
    }


def set_level(clients: LabClients, service: str, level: str, reason: str = "") -> dict[str, str]:
    """Set the log level of every replica of `service` until its next start; returns the previous levels, by process.

    Raises UsageError for an unknown level or service, NotRunning.
    """
    if level not in LOG_LEVELS:
        raise UsageError(f"{level!r} is not a log level; choose from {', '.join(LOG_LEVELS)}")
    programs = _adjustable(clients, service)
    with clients.trail.action("log level", service, new=level, reason=reason) as change:
        change.old = {}
        for program in programs:
            answer = _client(clients, program).call("PUT", "/admin/log", {"level": level})
            change.old[program.name] = str(answer["old"])
    return dict(change.old)


def rotate(clients: LabClients, service: str, reason: str = "") -> dict[str, tuple[int, int]]:
    """Archive the logs of `service` and start new ones; (bytes before, bytes after) by process."""
    programs = replicas.instances(clients.home, clients.ports, service)
    with clients.trail.action("log rotate", service, reason=reason) as change:
        sizes = logfiles.rotate(clients.home, [program.name for program in programs])
        change.old = {name: before for name, (before, _) in sizes.items()}
        change.new = {name: after for name, (_, after) in sizes.items()}
    return sizes


def _adjustable(clients: LabClients, service: str) -> list[Program]:
    """The running processes of `service`; UsageError when their log level cannot be changed."""
    programs = replicas.instances(clients.home, clients.ports, service)
    if not all(program.metrics_port for program in programs) or programs[0].argv[1:2] != ("-m",) or service in FIXED:
        raise UsageError(f"the log level of {service} cannot be changed while it runs")
    return programs


def _client(clients: LabClients, program: Program) -> JsonClient:
    return JsonClient(url(program.metrics_port), what=program.name, token=read_token(clients.home))
