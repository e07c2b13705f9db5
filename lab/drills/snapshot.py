"""The control state of the lab: taken before a drill, put back after it."""

from __future__ import annotations

from typing import Any

from lab.control import config, verbs
from lab.control.desk import Desk
from lab.stack import configs

SCALED = ("user", "feed", "feed-canary")
CONFIGURED = ("gateway", *SCALED)
# Parts of the gateway's state that are put back whole, each at /admin/PART. Canary, flags and replicas have verbs.
PARTS = ("ratelimit", "shed", "timeouts")


def take(desk: Desk) -> dict[str, Any]:
    """Everything a verb can change: canary weight, flags, replicas, limits and timeouts, versions of configuration."""
    state = desk.gateway.state()
    return {
        "canary_weight_percent": state["canary"]["weight_percent"],
        "flags": {name: flag["enabled"] for name, flag in state["flags"].items()},
        "replicas": {name: len(state["upstreams"][name]) for name in SCALED},
        "parts": {part: state[part] for part in PARTS if part in state},
        "configs": {service: configs.current(desk.home, service).version for service in CONFIGURED},
    }


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
    for service, version in wanted.get("configs", {}).items():
        if (at := now["configs"][service]) != version:
            config.activate(desk, service, version, reason)
            changed.append(f"{service} configuration {at} → {version}")
    for service, replicas in wanted["replicas"].items():
        if now["replicas"][service] != replicas:
            verbs.scale(desk, service, replicas, reason)
            changed.append(f"{service} replicas {now['replicas'][service]} → {replicas}")
    return changed
