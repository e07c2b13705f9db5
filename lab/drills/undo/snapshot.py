"""The control state of the lab: taken before a drill, put back after it."""

from __future__ import annotations

from typing import Any

from lab.control import actions, config, gateway_settings
from lab.control.lab_clients import LabClients
from lab.errors import NotRunning
from lab.stack import configs, replicas, state
from lab.stack.processes.supervision import Supervisor

SCALED = ("user", "feed", "feed-canary")
CONFIGURED = ("gateway", *SCALED)
# Parts of the gateway's state that are put back whole, each at /admin/PART. Canary, flags and replicas have verbs.
PARTS = gateway_settings.PARTS


def take(clients: LabClients) -> dict[str, Any]:
    """Everything a verb can change: weight, flags, replicas, limits, configuration, what is drained or frozen."""
    now = clients.gateway.state()
    counts = state.read_replicas(clients.home)
    return {
        "canary_weight_percent": now["canary"]["weight_percent"],
        "flags": {name: flag["enabled"] for name, flag in now["flags"].items()},
        "replicas": {name: counts[name] for name in SCALED},
        "parts": {part: now[part] for part in PARTS if part in now},
        "drained": replicas.drained(clients.home),
        "frozen": _frozen(clients),
        "configs": {service: configs.current(clients.home, service).version for service in CONFIGURED},
    }


def _frozen(clients: LabClients) -> list[str]:
    try:
        return [row.name for row in Supervisor(clients.home).processes() if row.state == "frozen"]
    except NotRunning:
        return []


def restore(clients: LabClients, wanted: dict[str, Any], reason: str) -> list[str]:
    """Bring the lab back to `wanted`; returns what was changed, one line each."""
    now, changed = take(clients), []
    if (weight := wanted["canary_weight_percent"]) != now["canary_weight_percent"]:
        actions.set_canary_weight(clients, weight, reason)
        changed.append(f"canary weight {now['canary_weight_percent']:g} % → {weight:g} %")
    for name, enabled in wanted["flags"].items():
        if name in now["flags"] and now["flags"][name] != enabled:
            actions.set_flag(clients, name, enabled, reason)
            changed.append(f"flag {name} → {'on' if enabled else 'off'}")
    for part, value in wanted.get("parts", {}).items():
        if part in now["parts"] and now["parts"][part] != value:
            with clients.trail.action(f"{part} set", "gateway", new=value, reason=reason) as change:
                change.old = now["parts"][part]
                clients.gateway.set_part(part, value)
            changed.append(f"{part} {change.old} → {value}")
    for name in sorted(set(now["frozen"]) - set(wanted.get("frozen", now["frozen"]))):
        actions.resume(clients, name, reason)
        changed.append(f"{name} resumed")
    for name in sorted(set(now["drained"]) - set(wanted.get("drained", now["drained"]))):
        actions.undrain(clients, name, reason)
        changed.append(f"{name} is routed to again")
    for service, version in wanted.get("configs", {}).items():
        if (at := now["configs"].get(service, version)) != version:
            config.activate(clients, service, version, reason)
            changed.append(f"{service} configuration {at} → {version}")
    for service, count in wanted["replicas"].items():
        if now["replicas"].get(service, count) != count:
            actions.scale(clients, service, count, reason)
            changed.append(f"{service} replicas {now['replicas'][service]} → {count}")
    return changed
