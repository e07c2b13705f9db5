"""Retry policy and retry budget. Pure arithmetic: callers pass the current time.

Retries help when one replica fails and hurt when all do: callers then multiply the load on an overloaded service. A
budget limits retries to a ratio of the recent requests, plus a few per second so that a caller with little traffic can
still retry.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

# Causes of failure that a policy can retry: no connection; no response in time; status 502, 503 or 504.
UNREACHABLE, TIMEOUT, UNAVAILABLE = CAUSES = ("unreachable", "timeout", "unavailable")
UNAVAILABLE_STATUSES = frozenset({502, 503, 504})

MAX_RETRIES = 5
WINDOW_SECONDS = 10
MIN_PER_SECOND = 1.0


@dataclass(frozen=True)
class RetryPolicy:
    """At most `max_retries` per request, for the causes in `on`.

    `budget_ratio` limits all retries to a ratio of the requests; MAX_RETRIES or more disables the budget.
    """

    max_retries: int = 1
    budget_ratio: float = float(MAX_RETRIES)
    on: tuple[str, ...] = (UNREACHABLE,)

    def allows(self, cause: str, retries_made: int) -> bool:
        """Whether the policy allows a retry after a failure for `cause` and `retries_made` retries, budget aside."""
        return retries_made < self.max_retries and cause in self.on


class RetryBudget:
    """Counts the requests and retries of the last WINDOW_SECONDS, per second. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: deque[list[float]] = deque()  # [second, requests, retries], oldest first

    def request(self, now: float) -> None:
        """Counts a request, which adds to the budget."""
        with self._lock:
            self._slot(now)[1] += 1

    def take(self, now: float, ratio: float) -> bool:
        """Takes a retry from the budget if retries stay within `ratio` of the requests plus MIN_PER_SECOND."""
        with self._lock:
            slot = self._slot(now)
            requests = sum(counts[1] for counts in self._slots)
            retries = sum(counts[2] for counts in self._slots)
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
