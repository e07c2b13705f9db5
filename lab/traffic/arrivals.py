"""When requests arrive: a Poisson process whose clock owes nothing to any reply."""

from __future__ import annotations

import random

# A cold start at full rate would be a stampede of its own making.
RAMP_SECONDS = 10.0
RAMP_FROM_RATIO = 0.1


class Arrivals:
    """Arrival times at `rate` a second, rising to it over RAMP_SECONDS from `start`. Times are monotonic seconds."""

    def __init__(self, rate: float, start: float, seed: int = 1, *, ramp_seconds: float | None = None) -> None:
        self.rate = rate
        self._start = start
        self._ramp_seconds = RAMP_SECONDS if ramp_seconds is None else ramp_seconds
        self._random = random.Random(seed)  # noqa: S311 - a workload, no secret
        self._next = start

    def rate_at(self, now: float) -> float:
        """The rate that holds at `now`, the ramp included."""
        risen = min(1.0, max(0.0, (now - self._start) / self._ramp_seconds)) if self._ramp_seconds else 1.0
        return self.rate * (RAMP_FROM_RATIO + (1 - RAMP_FROM_RATIO) * risen)

    def due(self, now: float) -> list[float]:
        """Every arrival up to `now` that was not told before, by its scheduled time."""
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
        """From `now` on another rate; what is already due stays due."""
        self.rate = rate
        if self._next > now:
            current = self.rate_at(now)
            self._next = now + (self._random.expovariate(current) if current > 0 else 0.0)
