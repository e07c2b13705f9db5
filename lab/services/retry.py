"""Which failed calls are sent again, and how many at most: arithmetic only, the time is told.

A retry helps when one replica fails and harms when all do: then every caller multiplies his load at the moment it
can least be carried. A budget bounds that: over the last seconds at most so many retries a request, plus a few a second
so that a caller with little traffic may still try again.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

# What may be sent again: nobody was reached; no answer in time; the upstream said that it cannot (502, 503, 504).
UNREACHABLE, TIMEOUT, UNAVAILABLE = CAUSES = ("unreachable", "timeout", "unavailable")
UNAVAILABLE_STATUSES = frozenset({502, 503, 504})

MAX_RETRIES = 5
WINDOW_SECONDS = 10
MIN_PER_SECOND = 1.0


@dataclass(frozen=True)
class RetryPolicy:
    """At most `max_retries` a request, after one of the failures in `on`; all together at most `budget_ratio` of the
    requests. A ratio of MAX_RETRIES or more is no budget at all."""

    max_retries: int = 1
    budget_ratio: float = float(MAX_RETRIES)
    on: tuple[str, ...] = (UNREACHABLE,)

    def allows(self, cause: str, retries_made: int) -> bool:
        """Whether a request that failed for `cause` after `retries_made` retries may have another, budget aside."""
        return retries_made < self.max_retries and cause in self.on


class RetryBudget:
    """Counts requests and retries of the last WINDOW_SECONDS by the second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: deque[list[float]] = deque()  # [second, requests, retries], oldest first

    def request(self, now: float) -> None:
        """A request comes: it pays in."""
        with self._lock:
            self._slot(now)[1] += 1

    def take(self, now: float, ratio: float) -> bool:
        """Takes one retry out, when all of them stay within `ratio` of the requests (and a few a second)."""
        with self._lock:
            slot = self._slot(now)
            requests = sum(one[1] for one in self._slots)
            retries = sum(one[2] for one in self._slots)
            if retries + 1 > ratio * requests + MIN_PER_SECOND * WINDOW_SECONDS:
                return False
            slot[2] += 1
            return True

    def _slot(self, now: float) -> list[float]:
        second = float(int(now))
        while self._slots and self._slots[0][0] <= second - WINDOW_SECONDS:
            self._slots.popleft()
        if not self._slots or self._slots[-1][0] < second:
            self._slots.append([second, 0.0, 0.0])
        return self._slots[-1]
