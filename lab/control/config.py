"""What on-call may do to a service's configuration; each change is audited with the version before and after."""

from __future__ import annotations

from typing import Any

from lab.control.lab_clients import LabClients
from lab.errors import UsageError
from lab.stack import configs
from lab.stack.configs import Version


def push(
    clients: LabClients,
    service: str,
    changes: dict[str, Any],
    reason: str = "",
    *,
    checked: bool = True,
    at_once: bool = False,
) -> tuple[Version, Version]:
    """Put a new version in force, with `changes` (None takes a setting out), and restart the replicas with it.

    Returns the version before and the new one. Checked, a version the service would refuse is refused here. The
    replicas are restarted one by one, each ready before the next, or `at_once` and unseen, as a careless pipeline does.
    """
    program = configs.instances(clients.home, clients.ports, service)[0]
    old = configs.current(clients.home, service)
    known = configs.settings_of(program)
    if unknown := [key for key in changes if key not in known] if checked else []:
        raise UsageError(f"no setting {unknown[0]!r} of {service}; known: {', '.join(known)}")
    wanted = {key: value for key, value in {**old.settings, **changes}.items() if value is not None}
    if checked and (why := configs.refusal(program, wanted)):
        raise UsageError(f"{service} would not start with that: {why}; nothing was changed")
    with clients.trail.action("config push", service, new=wanted, reason=reason) as change:
        change.old = _told(old)
        new = configs.add(clients.home, service, wanted, clients.trail.actor, reason)
        change.new = _told(new)
        configs.restart(clients.home, clients.ports, service, at_once=at_once)
    return old, new


def rollback(clients: LabClients, service: str, reason: str = "") -> tuple[Version, Version]:
    """Put the version before the present one in force again and restart the replicas; returns old and new."""
    configs.instances(clients.home, clients.ports, service)
    old = configs.current(clients.home, service)
    if old.version == 0:
        raise UsageError(f"{service} runs with its built-in defaults; there is nothing to go back to")
    return activate(clients, service, old.previous, reason)


def activate(clients: LabClients, service: str, version: int, reason: str = "") -> tuple[Version, Version]:
    """Put a version that exists in force and restart the replicas; returns old and new."""
    configs.instances(clients.home, clients.ports, service)
    old, new = configs.current(clients.home, service), configs.find(clients.home, service, version)
    with clients.trail.action("config rollback", service, new=_told(new), reason=reason) as change:
        change.old = _told(old)
        configs.activate(clients.home, service, new.version)
        configs.restart(clients.home, clients.ports, service)
    return old, new


def _told(version: Version) -> dict[str, Any]:
    return {"version": version.version, "settings": version.settings}
