"""Names clients with many requests in metrics. All others share the label value "other", to limit cardinality."""

from __future__ import annotations

import threading

OTHER = "other"
# About fifty times the rate of one of the lab's ordinary clients.
HEAVY_PER_SECOND = 10
MAX_NAMED = 20


class HeavyClients:
    """Counts requests per client and second. A client that exceeds HEAVY_PER_SECOND is named from then on.

    At most MAX_NAMED clients are named. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._second = 0
        self._counts: dict[str, int] = {}
        self._named: set[str] = set()

    def label(self, client: str, now: float) -> str:
        """Counts a request of `client` at `now` (monotonic seconds). Returns its label value for metrics."""
        with self._lock:
            if int(now) != self._second:
                self._second = int(now)
                self._counts.clear()
            if client in self._named:
                return client
            count = self._counts[client] = self._counts.get(client, 0) + 1
            if count > HEAVY_PER_SECOND and len(self._named) < MAX_NAMED:
                self._named.add(client)
                return client
            return OTHER
