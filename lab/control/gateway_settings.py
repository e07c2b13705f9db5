"""The gateway's settings: quotas, shedding, retries, timeouts, breakers, the feed cache. Each change is audited."""

from __future__ import annotations

from typing import Any

from lab.control.lab_clients import LabClients
from lab.errors import UsageError

RATELIMIT, SHED, RETRY, TIMEOUTS, BREAKERS, CACHE = PARTS = (
    "ratelimit", "shed", "retry", "timeouts", "breakers", "cache",
)  # fmt: skip


def show(clients: LabClients, part: str) -> dict[str, Any]:
    """One part of the gateway's settings as it is."""
    return dict(clients.gateway.state()[part])


def change(
    clients: LabClients, part: str, values: dict[str, Any], reason: str = ""
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set `values` of `part`, the rest stays; returns what these were and what they are.

    UsageError for an unknown name (nothing is audited then) or a value the gateway refuses (audited as failed).
    """
    now = show(clients, part)
    if not values:
        raise UsageError(f"nothing to set; {part} has {', '.join(now)}")
    for name in values:
        if name not in now:
            raise UsageError(f"{part} has no {name!r}; it has {', '.join(now)}")
    with clients.trail.action(f"{part} set", "gateway", new=values, reason=reason) as trace:
        trace.old = {name: now[name] for name in values}
        clients.gateway.set_part(part, values)
        after = show(clients, part)
        trace.new = {name: after[name] for name in values}
    return trace.old, trace.new
