"""The verbs. Each records its intent, acts, and records what it changed; what is refused changes nothing."""

from __future__ import annotations

from typing import Any

from lab.control.lab_clients import LabClients
from lab.errors import UsageError
from lab.stack import replicas
from lab.stack.processes.supervision import Supervisor


def set_canary_weight(clients: LabClients, percent: float, reason: str = "") -> float:
    """Send `percent` (0 to 100) of users to the canary; returns the weight it had."""
    if not 0 <= percent <= 100:
        raise UsageError(f"canary weight {percent:g} is not a percentage from 0 to 100")
    with clients.trail.action("canary weight", "gateway", new=percent, reason=reason) as change:
        change.old = clients.gateway.canary_weight()
        clients.gateway.set_canary_weight(percent)
    return float(change.old)


def flags(clients: LabClients) -> dict[str, dict[str, Any]]:
    """Every flag: enabled and its help text."""
    return dict(clients.gateway.state()["flags"])


def set_flag(clients: LabClients, name: str, enabled: bool, reason: str = "") -> bool:
    """Switch a flag on or off; returns what it was."""
    known = flags(clients)
    if name not in known:
        raise UsageError(f"no flag {name!r}; the flags are {', '.join(sorted(known))}")
    with clients.trail.action("flag set", name, new=enabled, reason=reason) as change:
        change.old = known[name]["enabled"]
        clients.gateway.set_flag(name, enabled)
    return bool(change.old)


def scale(clients: LabClients, service: str, count: int, reason: str = "") -> int:
    """Run `count` replicas of a service; returns how many it had. Ready before they are routed to."""
    with clients.trail.action("scale", service, new=count, reason=reason) as change:
        change.old = replicas.scale(clients.home, clients.ports, service, count)
    return int(change.old)


def restart(clients: LabClients, name: str, reason: str = "") -> list[str]:
    """Restart one process, or a service's replicas one after the other; returns their names."""
    replicas.instances(clients.home, clients.ports, name)
    with clients.trail.action("service restart", name, reason=reason) as change:
        restarted = replicas.restart(clients.home, clients.ports, name)
        change.new = restarted
    return restarted


def reload(clients: LabClients, name: str, reason: str = "") -> int:
    """Have Prometheus read its configuration, written anew, without a restart; returns the number of rule groups."""
    with clients.trail.action("service reload", name, reason=reason):
        return replicas.reload(clients.home, clients.ports, name)


def drain(clients: LabClients, name: str, reason: str = "") -> bool:
    """Have the gateway send a replica nothing more; it runs on. Returns whether that was so already."""
    with clients.trail.action("service drain", name, new="drained", reason=reason) as change:
        was = replicas.drain(clients.home, clients.ports, name)
        change.old = "drained" if was else "routed to"
    return was


def undrain(clients: LabClients, name: str, reason: str = "") -> bool:
    """Have the gateway ask a replica again. Returns whether it was drained."""
    with clients.trail.action("service undrain", name, new="routed to", reason=reason) as change:
        was = replicas.drain(clients.home, clients.ports, name, back=True)
        change.old = "drained" if was else "routed to"
    return was


def pause(clients: LabClients, name: str, reason: str = "") -> list[str]:
    """Freeze processes where they stand (SIGSTOP): they keep their sockets and answer nothing."""
    return _signal(clients, "service pause", name, "STOP", reason)


def resume(clients: LabClients, name: str, reason: str = "") -> list[str]:
    """Let frozen processes go on (SIGCONT)."""
    return _signal(clients, "service resume", name, "CONT", reason)


def _signal(clients: LabClients, action: str, name: str, signal_name: str, reason: str) -> list[str]:
    programs = replicas.instances(clients.home, clients.ports, name)
    supervisor = Supervisor(clients.home)
    with clients.trail.action(action, name, reason=reason) as change:
        for program in programs:
            supervisor.signal(program.name, signal_name)
        change.new = [program.name for program in programs]
    return list(change.new)
