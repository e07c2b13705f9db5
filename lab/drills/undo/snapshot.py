"""The control state of the lab: captured before a drill, restored after it."""

from __future__ import annotations

from contextlib import suppress

from lab.control import actions, config, gateway_settings, traffic
from lab.control.admin_clients import TrafficAdmin
from lab.control.lab_clients import LabClients
from lab.drills.schema.journal import ControlState
from lab.errors import NotRunning
from lab.stack import configs, replicas, state
from lab.stack.processes.supervision import Supervisor

SCALED = ("user", "feed", "feed-canary")
CONFIGURED = ("gateway", *SCALED)
# Parts of the gateway's state that are restored as a whole, each at /admin/PART. Canary, flags and replicas have verbs.
PARTS = gateway_settings.PARTS


def take(clients: LabClients) -> ControlState:
    """Everything that a control can change.

    Canary weight, flags, replicas, limits, configuration, drained and frozen processes, and the rate of the load.
    """
    now = clients.gateway.state()
    counts = state.read_replicas(clients.home)
    return ControlState(
        canary_weight_percent=now.canary.weight_percent,
        flags={name: flag.enabled for name, flag in now.flags.items()},
        replicas={name: counts[name] for name in SCALED},
        parts={part: now.part(part) for part in PARTS},
        drained=list(replicas.drained(clients.home)),
        frozen=_frozen(clients),
        configs={service: configs.current(clients.home, service).version for service in CONFIGURED},
        traffic_rate=_traffic_rate(clients),
    )


def _traffic_rate(clients: LabClients) -> float | None:
    with suppress(NotRunning):
        return TrafficAdmin.of(clients.home, clients.ports).rate()
    return None


def _frozen(clients: LabClients) -> list[str]:
    try:
        return [row.name for row in Supervisor(clients.home).processes() if row.state == "frozen"]
    except NotRunning:
        return []


def restore(clients: LabClients, wanted: ControlState, reason: str) -> list[str]:
    """Restore the state `wanted`; returns one line per change."""
    now, changed = take(clients), []
    if (weight := wanted.canary_weight_percent) != now.canary_weight_percent:
        actions.set_canary_weight(clients, weight, reason)
        changed.append(f"canary weight {now.canary_weight_percent:g} % → {weight:g} %")
    for name, enabled in wanted.flags.items():
        if name in now.flags and now.flags[name] != enabled:
            actions.set_flag(clients, name, enabled, reason)
            changed.append(f"flag {name} → {'on' if enabled else 'off'}")
    for part, value in wanted.parts.items():
        if part in now.parts and now.parts[part] != value:
            with clients.trail.action(f"{part} set", "gateway", new=value, reason=reason) as change:
                change.old = now.parts[part]
                clients.gateway.set_part(part, value)
            changed.append(f"{part} {change.old} → {value}")
    for name in _no_longer(now.frozen, wanted.frozen):
        actions.resume(clients, name, reason)
        changed.append(f"{name} resumed")
    for name in _no_longer(now.drained, wanted.drained):
        actions.undrain(clients, name, reason)
        changed.append(f"{name} is routed to again")
    for service, version in wanted.configs.items():
        if (at := now.configs.get(service, version)) != version:
            config.activate(clients, service, version, reason)
            changed.append(f"{service} configuration {at} → {version}")
    for service, count in wanted.replicas.items():
        if now.replicas.get(service, count) != count:
            actions.scale(clients, service, count, reason)
            changed.append(f"{service} replicas {now.replicas[service]} → {count}")
    rate = wanted.traffic_rate
    if rate is not None and now.traffic_rate not in (None, rate):
        changed.append(f"traffic {traffic.set_rate(clients, rate, reason):g} → {rate:g} requests/s")
    return changed


def _no_longer(now: list[str] | None, wanted: list[str] | None) -> list[str]:
    """The names of `now` that `wanted` lacks; none when `wanted` is None, as in a journal of an older version."""
    return [] if wanted is None else sorted(set(now or []) - set(wanted))
