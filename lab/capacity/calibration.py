"""The speed of the machine, so that steps on a slowed machine are recognised."""

from __future__ import annotations

import os
import time

LOOPS = 60_000
ROUNDS = 5
# Steps whose speed before or after differs by more than this from that of the sweep so far do not count.
MAX_DRIFT = 0.05


def speed() -> float:
    """Loops per second of processor time, the median of ROUNDS on one pinned core (where pinning is possible).

    Processor time rather than elapsed time, so that waiting for the core does not count, but a lower clock rate and a
    busy sibling of the core do.
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    try:
        if allowed:
            os.sched_setaffinity(0, {min(allowed)})
        return sorted(_round() for _ in range(ROUNDS))[ROUNDS // 2]
    finally:
        if allowed:
            os.sched_setaffinity(0, allowed)


def _round() -> float:
    started, value = time.thread_time(), 1
    for _ in range(LOOPS):
        value = value * 1_103_515_245 + 12_345 & 0x7FFFFFFF
    return LOOPS / (time.thread_time() - started)


def drift(readings: tuple[float, float], usual: float) -> float:
    """The largest relative deviation of the readings from the usual speed."""
    return max(abs(reading / usual - 1) for reading in readings)
