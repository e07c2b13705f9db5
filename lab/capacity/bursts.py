"""A burst on the running lab: the base load, some seconds of a multiple of it, and the time until it has drained."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

from lab.capacity.counters import Counters
from lab.capacity.documents import Burst
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


def increases(readings: Sequence[Counters]) -> list[Counters]:
    """The increase from each reading to the next."""
    return [after.since(before) for before, after in pairwise(readings)]
