"""Load shedding: four priorities, and how many requests may be in flight before each is refused.

Feed reads are the main function and have the highest priority, then profile reads. Writes can be retried a minute later
and are expensive for the database. Anonymous clients, which send no client id, have no SLO and are shed first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from lab import names

# Anonymous clients are "guest" in labels, settings and the client ids of the load generator.
FEED_READ, USER_READ, WRITE, ANONYMOUS = PRIORITIES = ("feed-read", "user-read", "write", "guest")
ANONYMOUS_PREFIX = "guest"

DEFAULT_MAX_INFLIGHT = 160


@dataclass(frozen=True)
class Shed:
    """The maximum of requests in flight, and the ratio of it up to which each priority below feed reads is admitted."""

    max_inflight: int = DEFAULT_MAX_INFLIGHT
    user_read_ratio: float = 0.95
    write_ratio: float = 0.9
    guest_ratio: float = 0.5

    def limit(self, priority: str) -> int:
        """The number of requests in flight at which the next one of `priority` is refused."""
        return math.ceil(self.max_inflight * self._ratio(priority))

    def _ratio(self, priority: str) -> float:
        ratios = {USER_READ: self.user_read_ratio, WRITE: self.write_ratio, ANONYMOUS: self.guest_ratio}
        return ratios.get(priority, 1.0)


RATIOS = tuple(setting.name for setting in fields(Shed) if setting.name.endswith("_ratio"))


def priority_of(method: str, route: str, client: str | None) -> str:
    """The priority of a request; `client` is its client id header, None without one."""
    if client is None or client.startswith(ANONYMOUS_PREFIX):
        return ANONYMOUS
    if method not in ("GET", "HEAD"):
        return WRITE
    return FEED_READ if route == names.ROUTE_FEED else USER_READ
