"""Arrival times of requests: a Poisson process that is independent of responses."""

from __future__ import annotations

import random

# A cold start at full rate would itself cause a cache stampede.
RAMP_SECONDS = 10.0
RAMP_FROM_RATIO = 0.1


class Arrivals:
    """Arrival times at `rate` per second, ramped up over RAMP_SECONDS from `start`. Times are monotonic seconds."""

    def __init__(self, rate: float, start: float, seed: int = 1, *, ramp_seconds: float | None = None) -> None:
        self.rate = rate
        self._start = start
        self._ramp_seconds = RAMP_SECONDS if ramp_seconds is None else ramp_seconds
        self._random = random.Random(seed)  # noqa: S311 - a workload, not a secret
        self._next = start

    def rate_at(self, now: float) -> float:
        """The rate at `now`, including the ramp."""
        progress = min(1.0, max(0.0, (now - self._start) / self._ramp_seconds)) if self._ramp_seconds else 1.0
        return self.rate * (RAMP_FROM_RATIO + (1 - RAMP_FROM_RATIO) * progress)

    def due(self, now: float) -> list[float]:
        """The scheduled times of all arrivals since the previous call, up to `now`."""
        times = []
        while self._next <= now:
            rate = self.rate_at(self._next)
            if rate <= 0:
                self._next = now
                break
            times.append(self._next)
            self._next += self._random.expovariate(rate)
        return times

    def retime(self, rate: float, now: float) -> None:
        """Changes the rate from `now` on; arrivals that are already due stay due."""
        self.rate = rate
        if self._next > now:
            current = self.rate_at(now)
            self._next = now + (self._random.expovariate(current) if current > 0 else 0.0)
