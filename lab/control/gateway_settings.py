"""Settings of the gateway: rate limits, load shedding, retries, timeouts, circuit breakers and the feed cache's TTL."""

from __future__ import annotations

from lab.clients.gateway import PartSettings
from lab.control.lab_clients import LabClients
from lab.errors import UsageError

RATELIMIT, SHED, RETRY, TIMEOUTS, BREAKERS, CACHE = PARTS = (
    "ratelimit", "shed", "retry", "timeouts", "breakers", "cache",
)  # fmt: skip


def show(clients: LabClients, part: str) -> PartSettings:
    """The current settings of one part (see PARTS), by name. NotRunning when the gateway does not answer."""
    return clients.gateway.state().part(part)


def change(clients: LabClients, part: str, values: PartSettings, reason: str = "") -> tuple[PartSettings, PartSettings]:
    """Change the settings `values` of `part` and keep the others; returns their old and new values.

    Raises UsageError for an unknown name (without an audit row) and for a value that the gateway refuses (audited as
    failed).
    """
    current = show(clients, part)
    if not values:
        raise UsageError(f"nothing to set; {part} has {', '.join(current)}")
    for name in values:
        if name not in current:
            raise UsageError(f"{part} has no {name!r}; it has {', '.join(current)}")
    with clients.trail.action(f"{part} set", "gateway", new=values, reason=reason) as audited:
        audited.old = {name: current[name] for name in values}
        clients.gateway.set_part(part, values)
        after = show(clients, part)
        audited.new = {name: after[name] for name in values}
    return audited.old, audited.new
