"""Who is served first when not everybody can be: four priorities, and how full the gateway may be for each.

Feed reads are what people come for. Profile reads follow. A write can be made again in a minute, and costs the DB.
Guests, who do not say who they are, have been promised nothing: they are asked to come back first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from lab import names

FEED_READ, USER_READ, WRITE, GUEST = PRIORITIES = ("feed-read", "user-read", "write", "guest")
GUEST_PREFIX = "guest"

DEFAULT_MAX_INFLIGHT = 160


@dataclass(frozen=True)
class Shed:
    """Requests in flight at most, and the share of that up to which each priority below feed reads is admitted."""

    max_inflight: int = DEFAULT_MAX_INFLIGHT
    user_read_ratio: float = 0.95
    write_ratio: float = 0.9
    guest_ratio: float = 0.5

    def limit(self, priority: str) -> int:
        """With this many requests in flight the next one of `priority` is refused."""
        return math.ceil(self.max_inflight * self._ratio(priority))

    def _ratio(self, priority: str) -> float:
        known = {USER_READ: self.user_read_ratio, WRITE: self.write_ratio, GUEST: self.guest_ratio}
        return known.get(priority, 1.0)


RATIOS = tuple(one.name for one in fields(Shed) if one.name.endswith("_ratio"))


def priority_of(method: str, route: str, client: str | None) -> str:
    """The priority of a request; `client` is what it says of itself, None when it says nothing."""
    if client is None or client.startswith(GUEST_PREFIX):
        return GUEST
    if method not in ("GET", "HEAD"):
        return WRITE
    return FEED_READ if route == names.ROUTE_FEED else USER_READ
