"""Which clients get a name in the metrics: those that ask much. Everybody else is "other", so labels stay few."""

from __future__ import annotations

import threading

OTHER = "other"
# Some fifty times what one of the lab's ordinary clients asks.
HEAVY_PER_SECOND = 10
MAX_NAMED = 20


class HeavyClients:
    """Counts by client and second; who passes HEAVY_PER_SECOND is named from then on, MAX_NAMED of them at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._second = 0
        self._counts: dict[str, int] = {}
        self._named: set[str] = set()

    def label(self, client: str, now: float) -> str:
        """Counts a request of `client` at `now` (monotonic seconds); the name it has in the metrics."""
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
