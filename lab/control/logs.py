"""What on-call may do about logs: change the level while the service runs, and pack full logs away."""

from __future__ import annotations

from lab.clients.http import JsonClient
from lab.clients.pager import read_token
from lab.control.lab_clients import LabClients
from lab.errors import UsageError
from lab.stack import logfiles, replicas
from lab.stack.programs import Program, url
from lab.telemetry.settings import LOG_LEVELS

# Processes without an admin API of their own: their level is what they started with.
FIXED = ("pager", "console")


def levels(clients: LabClients, service: str) -> dict[str, str]:
    """The level of each replica of `service`."""
    return {
        program.name: str(_client(clients, program).call("GET", "/admin/log")["level"])
        for program in _of(clients, service)
    }


def set_level(clients: LabClients, service: str, level: str, reason: str = "") -> dict[str, str]:
    """Have every replica of `service` write `level` and above, now and until its next start; the levels before."""
    if level not in LOG_LEVELS:
        raise UsageError(f"{level!r} is not a level; choose from {', '.join(LOG_LEVELS)}")
    programs = _of(clients, service)
    with clients.trail.action("log level", service, new=level, reason=reason) as change:
        change.old = {}
        for program in programs:
            answer = _client(clients, program).call("PUT", "/admin/log", {"level": level})
            change.old[program.name] = str(answer["old"])
    return dict(change.old)


def rotate(clients: LabClients, service: str, reason: str = "") -> dict[str, tuple[int, int]]:
    """Pack the logs of `service` away and begin new ones; (bytes before, after) by process."""
    programs = replicas.instances(clients.home, clients.ports, service)
    with clients.trail.action("log rotate", service, reason=reason) as change:
        done = logfiles.rotate(clients.home, [program.name for program in programs])
        change.old = {name: before for name, (before, _) in done.items()}
        change.new = {name: after for name, (_, after) in done.items()}
    return done


def _of(clients: LabClients, service: str) -> list[Program]:
    programs = replicas.instances(clients.home, clients.ports, service)
    if not all(program.metrics_port for program in programs) or programs[0].argv[1:2] != ("-m",) or service in FIXED:
        raise UsageError(f"the log level of {service} cannot be changed while it runs")
    return programs


def _client(clients: LabClients, program: Program) -> JsonClient:
    return JsonClient(url(program.metrics_port), what=program.name, token=read_token(clients.home))
