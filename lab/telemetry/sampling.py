"""Tail sampling: which traces are worth keeping, decided at the edge when the root span has ended.

Kept are all traces that are slow, failed, retried or shed, and one a second of the others as a baseline. The baseline
is chosen at the start, and the sampled flag of the trace context tells the other processes. So each process knows which
exemplars will have a trace: those of slow and of sampled requests.
"""

from __future__ import annotations

import threading
from collections import deque
from time import monotonic

BASELINE_SECONDS = 1.0
# Chosen traces that the collector has not asked for yet; it asks every second.
MAX_CHOSEN = 5_000
REASONS = SLOW, FAILED, RETRIED, SHED, BASELINE = "slow", "failed", "retried", "shed", "baseline"


class TailSampler:
    """The decisions of one process at the edge. Thread-safe."""

    def __init__(self, slow_seconds: float) -> None:
        self._slow_seconds = slow_seconds
        self._lock = threading.Lock()
        self._chosen: deque[tuple[int, str]] = deque(maxlen=MAX_CHOSEN)
        self._count = 0
        self._baseline_at = 0.0

    def baseline(self) -> bool:
        """Whether the request that begins now is the baseline of this second."""
        now = monotonic()
        if now < self._baseline_at:
            return False
        self._baseline_at = now + BASELINE_SECONDS
        return True

    def decide(self, trace_id: int, seconds: float, status: int, *, retried: bool, shed: bool, sampled: bool) -> str:
        """Why the trace is kept, the first reason that applies; "": it is not."""
        reason = (
            SHED if shed
            else FAILED if status >= 500
            else SLOW if seconds > self._slow_seconds
            else RETRIED if retried
            else BASELINE if sampled
            else ""
        )  # fmt: skip
        if reason:
            with self._lock:
                self._chosen.append((trace_id, reason))
                self._count += 1
        return reason

    def chosen(self, after: int) -> tuple[int, list[tuple[int, str]]]:
        """The number of traces chosen so far, and (id, reason) of those after the first `after`.

        A count beyond the present one is of an earlier process: all that are known follow.
        """
        with self._lock:
            new = self._count - after if 0 <= after <= self._count else self._count
            known = list(self._chosen)
            return self._count, known[len(known) - min(new, len(known)) :]
