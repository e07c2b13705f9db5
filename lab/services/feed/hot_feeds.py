"""Counts which feeds are requested most, so that a cold cache can be warmed with them first."""

from __future__ import annotations

import threading
from collections import OrderedDict

# Viewers that are counted; the least recently seen is evicted first.
MAX_VIEWERS = 2_000


class HotFeeds:
    """Counts requests by viewer since the start of the process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: OrderedDict[int, int] = OrderedDict()

    def record(self, viewer_id: int) -> None:
        """Counts a request for this viewer's feed."""
        with self._lock:
            self._counts[viewer_id] = self._counts.get(viewer_id, 0) + 1
            self._counts.move_to_end(viewer_id)
            if len(self._counts) > MAX_VIEWERS:
                self._counts.popitem(last=False)

    def top(self, count: int) -> list[tuple[int, int]]:
        """(viewer id, requests) of the `count` viewers with the most requests, highest first."""
        with self._lock:
            return sorted(self._counts.items(), key=lambda pair: (-pair[1], pair[0]))[:count]
