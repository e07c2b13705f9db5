"""A burst on the running lab: the base load, some seconds of a multiple of it, and the time until it has drained."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lab.capacity.counters import Counters
from lab.capacity.documents import Burst
from lab.capacity.models import burst as burst_model
from lab.clients.times import utc_text
from lab.control.admin_clients import TrafficAdmin
from lab.control.lab_clients import LabClients

FACTORS = (1.5, 5.0)
# The base load as a ratio of the limit: a system with some headroom.
BASE_RATIO = 0.6
BURST_SECONDS = 10.0
SETTLE_SECONDS = 8.0
AFTER_SECONDS = 20.0
IDLE_SECONDS = 15.0
# The last seconds, in which the base load is as usual again; up to this multiple of their requests in flight is usual.
USUAL_SECONDS = 5
USUAL_RATIO = 2.0


def measure(clients: LabClients, base: float, factor: float) -> Burst:
    """Offer `base` requests per second, `factor` times as many for BURST_SECONDS, and `base` again; then nothing."""
    traffic = TrafficAdmin.of(clients.home, clients.ports)
    traffic.set_rate(base)
    try:
        time.sleep(SETTLE_SECONDS)
        at, started = time.time(), time.monotonic()
        readings, in_flight = [Counters.now(clients.ports)], []
        traffic.set_rate(base * factor)
        for second in range(1, int(BURST_SECONDS + AFTER_SECONDS) + 1):
            time.sleep(max(0.0, started + second - time.monotonic()))
            if second == int(BURST_SECONDS):
                traffic.set_rate(base)
            readings.append(Counters.now(clients.ports))
            in_flight.append(int(traffic.state()["outstanding"]))
    finally:
        traffic.set_rate(0)
    time.sleep(IDLE_SECONDS)
    each = increases(readings)
    return Burst(
        factor=factor,
        base_per_second=round(base, 1),
        seconds=BURST_SECONDS,
        at=utc_text(at),
        arrivals=[one.arrivals for one in each],
        good=[one.good for one in each],
        in_flight=in_flight,
    )


@dataclass(frozen=True)
class Drain:
    """What a burst did: most requests in flight, seconds until they had drained, and requests lost.

    `seconds` is None when they had not drained by the end.
    """

    in_flight: float
    seconds: float | None
    lost: float


def measured(burst: Burst) -> Drain:
    """The drain as it was measured: down to the requests in flight that are usual at the base load."""
    ends = int(burst.seconds)
    enough = USUAL_RATIO * _usual_in_flight(burst) + 1
    waits = [second for second, count in enumerate(burst.in_flight[ends:]) if count > enough]
    seconds = waits[-1] + 1 if waits else 0
    still = bool(waits) and waits[-1] == len(burst.in_flight) - ends - 1
    lost = max(0, sum(burst.arrivals) - sum(burst.good))
    return Drain(max(burst.in_flight), None if still else float(seconds), lost)


def predicted(burst: Burst, served_per_second: float, max_in_flight: int) -> Drain:
    """The drain by the fluid model: a queue that is served at this rate, and what exceeds it refused."""
    usual = _usual_in_flight(burst)
    model = burst_model.Burst(
        base=min(burst.base_per_second, served_per_second),
        factor=burst.factor,
        seconds=burst.seconds,
        capacity=served_per_second,
        room=max(0.0, max_in_flight - usual),
    )
    return Drain(usual + model.peak_backlog, model.drain_seconds, model.refused_requests)


def _usual_in_flight(burst: Burst) -> float:
    return statistics.median(burst.in_flight[-USUAL_SECONDS:])


def increases(readings: Sequence[Counters]) -> list[Counters]:
    """The increase from each reading to the next."""
    return [after.since(before) for before, after in pairwise(readings)]
