"""The control state of the lab: taken before a drill, put back after it."""

from __future__ import annotations

from typing import Any

from lab.control import verbs
from lab.control.desk import Desk

SCALED = ("user", "feed", "feed-canary")


def take(desk: Desk) -> dict[str, Any]:
    """Everything a verb can change: canary weight, flags, replicas."""
    state = desk.gateway.state()
    return {
        "canary_weight_percent": state["canary"]["weight_percent"],
        "flags": {name: flag["enabled"] for name, flag in state["flags"].items()},
        "replicas": {name: len(state["upstreams"][name]) for name in SCALED},
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
    for service, replicas in wanted["replicas"].items():
        if now["replicas"][service] != replicas:
            verbs.scale(desk, service, replicas, reason)
            changed.append(f"{service} replicas {now['replicas'][service]} → {replicas}")
    return changed
