"""Bursts above the capacity: how long a token bucket admits them, and how a backlog grows and drains.

Fluid models: requests and tokens flow evenly, so chance and single requests are left out. They are close when hundreds
of requests are involved. Sources: Turner, "New directions in communications" (1986) for the bucket; Newell,
"Applications of Queueing Theory" (1971) for the fluid queue.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lab.errors import UsageError


@dataclass(frozen=True)
class Bucket:
    """A token bucket: `per_second` tokens gained, at most `burst` kept. Each admitted request takes one whole token.

    Raises UsageError unless the rate is above 0 and the burst at least 2. With a smaller one, a bucket that refuses
    requests overflows between them, and admits less than its rate: down to half of it with a burst of 1.
    """

    per_second: float
    burst: float

    def __post_init__(self) -> None:
        if not (0 < self.per_second < math.inf and 2 <= self.burst < math.inf):
            raise UsageError(
                f"{self.per_second} tokens/s, at most {self.burst}: the rate must be above 0, the burst at least 2"
            )

    def admits_seconds(self, offered: float) -> float:
        """How long a full bucket admits everything at `offered` requests/s; infinite up to the bucket's rate.

        The first refusal follows within one interval between requests. Raises UsageError for a negative rate.
        """
        _check(offered)
        # The last request of the burst needs a whole token, so one of them cannot be used up.
        return (self.burst - 1) / (offered - self.per_second) if offered > self.per_second else math.inf

    def refused_ratio(self, offered: float, seconds: float = math.inf) -> float:
        """The ratio refused of `offered` requests/s during the first `seconds` after the bucket was full.

        By default the ratio that it comes to in the long run, 1 - per_second / offered. Raises UsageError for negative
        numbers.
        """
        _check(offered, seconds)
        if offered <= self.per_second or seconds <= self.admits_seconds(offered):
            return 0.0
        return 1 - (self.per_second + (self.burst - 1) / seconds) / offered

    def refill_seconds(self, offered: float = 0.0) -> float:
        """How long an empty bucket takes to be full again at `offered` requests/s; infinite from the bucket's rate on.

        Raises UsageError for a negative rate.
        """
        _check(offered)
        return self.burst / (self.per_second - offered) if offered < self.per_second else math.inf


@dataclass(frozen=True)
class Burst:
    """A load of `base` requests/s that is `factor` times as much for `seconds`, with `capacity` requests/s served.

    The queue is first come, first served, and empty before. It holds `room` requests; what comes while it is full is
    refused. Raises UsageError for negative numbers, for a capacity that is not above 0, and for a base above the
    capacity, whose backlog grows without any burst.
    """

    base: float
    factor: float
    seconds: float
    capacity: float
    room: float = math.inf

    def __post_init__(self) -> None:
        _check(self.base, self.factor, self.seconds, self.room)
        if not max(self.factor, self.seconds, self.capacity) < math.inf:
            raise UsageError(f"{self} is not a burst: its numbers must be finite")
        if not (self.capacity > 0 and self.base <= self.capacity):
            raise UsageError(f"a base of {self.base} requests/s exceeds the capacity of {self.capacity} requests/s")

    @property
    def peak_backlog(self) -> float:
        """Requests that wait when the burst ends."""
        return min(self.room, self._growth * self.seconds)

    @property
    def refused_requests(self) -> float:
        """How many requests of the burst find the queue full."""
        return max(0.0, self._growth * self.seconds - self.room)

    @property
    def peak_wait_seconds(self) -> float:
        """How long the last request of the burst waits: the longest wait."""
        return self.peak_backlog / self.capacity

    @property
    def drain_seconds(self) -> float:
        """From the end of the burst until nothing waits; infinite if the base takes the whole capacity."""
        return self._until(0.0)

    def late_requests(self, wait_seconds: float) -> float:
        """How many requests wait longer than `wait_seconds`, which is the latency limit less the service time.

        Those of the burst that come once the backlog is so long, and those of the base until it is shorter again.
        Infinite if it never is. Raises UsageError for a negative number.
        """
        _check(wait_seconds)
        limit = wait_seconds * self.capacity
        if limit >= self.peak_backlog:
            return 0.0
        filled = self.peak_backlog / self._growth  # seconds until the queue is full, or the burst ends
        in_burst = self.base * self.factor * (filled - limit / self._growth) + self.capacity * (self.seconds - filled)
        after = self.base * self._until(limit) if self.base else 0.0
        return in_burst + after

    @property
    def _growth(self) -> float:
        return max(0.0, self.base * self.factor - self.capacity)

    def _until(self, backlog: float) -> float:
        """Seconds from the end of the burst until the backlog is no longer than this."""
        excess = self.peak_backlog - backlog
        if excess <= 0:
            return 0.0
        spare = self.capacity - self.base
        return excess / spare if spare > 0 else math.inf


def _check(*numbers: float) -> None:
    if not all(number >= 0 for number in numbers):
        raise UsageError("rates, factors and times of a burst cannot be negative")
