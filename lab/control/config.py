"""Push and roll back the configuration of a service. The audit row of a change holds the old and the new version."""

from __future__ import annotations

from lab.control.lab_clients import LabClients
from lab.errors import UsageError
from lab.stack import configs
from lab.stack.configs import Version


def push(
    clients: LabClients,
    service: str,
    changes: configs.Settings,
    reason: str = "",
    *,
    checked: bool = True,
    at_once: bool = False,
) -> tuple[Version, Version]:
    """Activate a new version with `changes` (None removes a setting) and restart the replicas; returns old and new.

    With `checked`, settings that the service would reject raise UsageError and nothing is changed. The replicas restart
    one at a time, each ready before the next, or `at_once` and without waiting, as a careless pipeline does.
    """
    settings = checked_settings(clients, service, changes) if checked else _merged(clients, service, changes)
    old = configs.current(clients.home, service)
    with clients.trail.action("config push", service, new=settings, reason=reason) as change:
        change.old = audited(old)
        new = configs.add(clients.home, service, settings, clients.trail.actor, reason)
        change.new = audited(new)
        configs.restart(clients.home, clients.ports, service, at_once=at_once)
    return old, new


def checked_settings(clients: LabClients, service: str, changes: configs.Settings) -> configs.Settings:
    """All settings of `service` with `changes`. Raises UsageError, by key, for settings that it would reject."""
    program = configs.instances(clients.home, clients.ports, service)[0]
    known = configs.settings_of(program)
    if unknown := [key for key in changes if key not in known]:
        raise UsageError(f"no setting {unknown[0]!r} of {service}; known: {', '.join(known)}")
    settings = _merged(clients, service, changes)
    if refusal := configs.refusal(program, settings):
        raise UsageError(f"{service} would not start with these settings: {refusal}; nothing was changed")
    return settings


def _merged(clients: LabClients, service: str, changes: configs.Settings) -> configs.Settings:
    configs.instances(clients.home, clients.ports, service)
    merged = {**configs.current(clients.home, service).settings, **changes}
    return {key: value for key, value in merged.items() if value is not None}


def rollback(clients: LabClients, service: str, reason: str = "") -> tuple[Version, Version]:
    """Activate the version that the current one replaced and restart the replicas; returns old and new.

    While a version is staged on one replica, that one is taken back, and the active version stays. Raises UsageError
    when the service runs with its defaults.
    """
    configs.instances(clients.home, clients.ports, service)
    old = configs.current(clients.home, service)
    if configs.staged(clients.home, service):
        return activate(clients, service, old.version, reason)
    if old.version == 0:
        raise UsageError(f"{service} runs with its built-in defaults; there is nothing to roll back to")
    return activate(clients, service, old.previous, reason)


def activate(clients: LabClients, service: str, version: int, reason: str = "") -> tuple[Version, Version]:
    """Activate an existing version and restart the replicas; returns old and new. UsageError for an unknown version."""
    configs.instances(clients.home, clients.ports, service)
    old, new = configs.current(clients.home, service), configs.find(clients.home, service, version)
    with clients.trail.action("config rollback", service, new=audited(new), reason=reason) as change:
        change.old = audited(old)
        configs.activate(clients.home, service, new.version)
        configs.restart(clients.home, clients.ports, service)
    return old, new


def audited(version: Version) -> configs.Settings:
    """A version as audit rows show it."""
    return {"version": version.version, "settings": version.settings}
