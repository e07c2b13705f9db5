"""Whose feeds are asked for most: what a cold cache should be filled with first."""

from __future__ import annotations

import threading
from collections import OrderedDict

# Viewers remembered; who asked longest ago is forgotten first.
REMEMBERED = 2_000


class Popular:
    """Counts requests by viewer since the start of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: OrderedDict[int, int] = OrderedDict()

    def seen(self, viewer_id: int) -> None:
        """A request for this viewer's feed."""
        with self._lock:
            self._counts[viewer_id] = self._counts.get(viewer_id, 0) + 1
            self._counts.move_to_end(viewer_id)
            if len(self._counts) > REMEMBERED:
                self._counts.popitem(last=False)

    def most(self, count: int) -> list[tuple[int, int]]:
        """(viewer, requests) of the `count` viewers that asked most, most first."""
        with self._lock:
            return sorted(self._counts.items(), key=lambda pair: (-pair[1], pair[0]))[:count]
