"""Control actions: canary weight, feature flags, replicas and processes.

Each writes its intent to the audit trail, acts, then writes the outcome. A request that is refused (UsageError) changes
nothing and leaves no audit row.
"""

from __future__ import annotations

from lab.clients.gateway import Flag
from lab.control.lab_clients import LabClients
from lab.errors import UsageError
from lab.stack import replicas
from lab.stack.processes.supervision import Supervisor


def set_canary_weight(clients: LabClients, percent: float, reason: str = "") -> float:
    """Send `percent` (0 to 100) of users to the canary; returns the previous one. UsageError outside that range."""
    if not 0 <= percent <= 100:
        raise UsageError(f"canary weight {percent:g} is not a percentage from 0 to 100")
    with clients.trail.action("canary weight", "gateway", new=percent, reason=reason) as change:
        change.old = clients.gateway.canary_weight()
        clients.gateway.set_canary_weight(percent)
    return float(change.old)


def flags(clients: LabClients) -> dict[str, Flag]:
    """Every feature flag by name."""
    return clients.gateway.state().flags


def set_flag(clients: LabClients, name: str, enabled: bool, reason: str = "") -> bool:
    """Switch a feature flag on or off; returns whether it was on. UsageError for an unknown flag."""
    known = flags(clients)
    if name not in known:
        raise UsageError(f"no flag {name!r}; the flags are {', '.join(sorted(known))}")
    with clients.trail.action("flag set", name, new=enabled, reason=reason) as change:
        change.old = known[name].enabled
        clients.gateway.set_flag(name, enabled)
    return bool(change.old)


def scale(clients: LabClients, service: str, count: int, reason: str = "") -> int:
    """Run `count` replicas of a service, routing to new ones once they are ready; returns the previous number."""
    with clients.trail.action("scale", service, new=count, reason=reason) as change:
        change.old = replicas.scale(clients.home, clients.ports, service, count)
    return int(change.old)


def restart(clients: LabClients, name: str, reason: str = "") -> list[str]:
    """Restart one process, or the replicas of a service one at a time; returns the names of the processes."""
    replicas.instances(clients.home, clients.ports, name)
    with clients.trail.action("service restart", name, reason=reason) as change:
        restarted = replicas.restart(clients.home, clients.ports, name)
        change.new = restarted
    return restarted


def reload(clients: LabClients, name: str, reason: str = "") -> int:
    """Regenerate Prometheus's configuration and reload it without a restart; returns the number of rule groups."""
    with clients.trail.action("service reload", name, reason=reason):
        return replicas.reload(clients.home, clients.ports, name)


def drain(clients: LabClients, name: str, reason: str = "") -> bool:
    """Take a running replica out of the gateway's rotation; returns whether it was drained already."""
    with clients.trail.action("service drain", name, new="drained", reason=reason) as change:
        was_drained = replicas.drain(clients.home, clients.ports, name)
        change.old = "drained" if was_drained else "in rotation"
    return was_drained


def undrain(clients: LabClients, name: str, reason: str = "") -> bool:
    """Put a drained replica back into the gateway's rotation; returns whether it was drained."""
    with clients.trail.action("service undrain", name, new="in rotation", reason=reason) as change:
        was_drained = replicas.drain(clients.home, clients.ports, name, back=True)
        change.old = "drained" if was_drained else "in rotation"
    return was_drained


def pause(clients: LabClients, name: str, reason: str = "") -> list[str]:
    """Freeze processes (SIGSTOP): they keep their sockets open and answer nothing. Returns their names."""
    return _signal(clients, "service pause", name, "STOP", reason)


def resume(clients: LabClients, name: str, reason: str = "") -> list[str]:
    """Resume frozen processes (SIGCONT). Returns their names."""
    return _signal(clients, "service resume", name, "CONT", reason)


def _signal(clients: LabClients, action: str, name: str, signal_name: str, reason: str) -> list[str]:
    programs = replicas.instances(clients.home, clients.ports, name)
    supervisor = Supervisor(clients.home)
    with clients.trail.action(action, name, reason=reason) as change:
        for program in programs:
            supervisor.signal(program.name, signal_name)
        change.new = [program.name for program in programs]
    return list(change.new)
