"""The control state of the lab: taken before a drill, put back after it."""

from __future__ import annotations

from typing import Any

from lab.control import config, settings, verbs
from lab.control.desk import Desk
from lab.errors import NotRunning
from lab.stack import configs, replicas, state
from lab.stack.supervision import Supervisor

SCALED = ("user", "feed", "feed-canary")
CONFIGURED = ("gateway", *SCALED)
# Parts of the gateway's state that are put back whole, each at /admin/PART. Canary, flags and replicas have verbs.
PARTS = settings.PARTS


def take(desk: Desk) -> dict[str, Any]:
    """Everything a verb can change: weight, flags, replicas, limits, configuration, what is drained or frozen."""
    now = desk.gateway.state()
    counts = state.read_replicas(desk.home)
    return {
        "canary_weight_percent": now["canary"]["weight_percent"],
        "flags": {name: flag["enabled"] for name, flag in now["flags"].items()},
        "replicas": {name: counts[name] for name in SCALED},
        "parts": {part: now[part] for part in PARTS if part in now},
        "drained": replicas.drained(desk.home),
        "frozen": _frozen(desk),
        "configs": {service: configs.current(desk.home, service).version for service in CONFIGURED},
    }


def _frozen(desk: Desk) -> list[str]:
    try:
        return [row.name for row in Supervisor(desk.home).processes() if row.state == "frozen"]
    except NotRunning:
        return []


def restore(desk: Desk, wanted: dict[str, Any], reason: str) -> list[str]:
    """Bring the lab back to `wanted`; returns what was changed, one line each."""
    now, changed = take(desk), []
    if (weight := wanted["canary_weight_percent"]) != now["canary_weight_percent"]:
        verbs.set_canary_weight(desk, weight, reason)
        changed.append(f"canary weight {now['canary_weight_percent']:g} % → {weight:g} %")
    for name, enabled in wanted["flags"].items():
        if name in now["flags"] and now["flags"][name] != enabled:
            verbs.set_flag(desk, name, enabled, reason)
            changed.append(f"flag {name} → {'on' if enabled else 'off'}")
    for part, value in wanted.get("parts", {}).items():
        if part in now["parts"] and now["parts"][part] != value:
            with desk.trail.action(f"{part} set", "gateway", new=value, reason=reason) as change:
                change.old = now["parts"][part]
                desk.gateway.set_part(part, value)
            changed.append(f"{part} {change.old} → {value}")
    for name in sorted(set(now["frozen"]) - set(wanted.get("frozen", now["frozen"]))):
        verbs.resume(desk, name, reason)
        changed.append(f"{name} resumed")
    for name in sorted(set(now["drained"]) - set(wanted.get("drained", now["drained"]))):
        verbs.undrain(desk, name, reason)
        changed.append(f"{name} is routed to again")
    for service, version in wanted.get("configs", {}).items():
        if (at := now["configs"].get(service, version)) != version:
            config.activate(desk, service, version, reason)
            changed.append(f"{service} configuration {at} → {version}")
    for service, count in wanted["replicas"].items():
        if now["replicas"].get(service, count) != count:
            verbs.scale(desk, service, count, reason)
            changed.append(f"{service} replicas {now['replicas'][service]} → {count}")
    return changed
