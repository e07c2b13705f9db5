"""One step of a sweep: set the load, wait until the queues are stationary, count, and decide whether it counts."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lab import names
from lab.capacity import calibration, usage
from lab.capacity.calibration import Calibrator
from lab.capacity.counters import Counters
from lab.capacity.documents import CURVE, Counted, Step
from lab.capacity.schedule import Next
from lab.clients.times import utc_text
from lab.control.admin_clients import TrafficAdmin
from lab.control.lab_clients import LabClients
from lab.slo.catalogue import Catalogue, committed
from lab.traffic.mix import FEED_RATIO

POLL_SECONDS = 0.5
SETTLE_SECONDS, MAX_SETTLE_SECONDS = 4.0, 12.0
DRAIN_SECONDS = 15.0
FRESH_SECONDS = 2.0
MIN_SECONDS, MAX_SECONDS, CURVE_SECONDS = 10.0, 40.0, 12.0
# A request that the generator sends this late was measured under another load than stated. Usual: below 5 ms.
MAX_LATE_SECONDS = 0.02
MAX_OTHERS_RATIO = 0.05
SHARES = {"feed": FEED_RATIO, "user": 1 - FEED_RATIO}


def allowed_bad(total: float, budget_ratio: float) -> float:
    """The bad events that an SLO allows among `total`; at least one, since one event is no ratio."""
    return max(1.0, budget_ratio * total)


def broken(slos: dict[str, Counted], catalogue: Catalogue) -> list[str]:
    """The ids of the SLOs that do not hold, the one furthest beyond its objective first."""
    beyond = {
        slo.sloth_id: counted.bad / allowed_bad(counted.total, slo.budget_ratio)
        for slo in catalogue.slos
        if (counted := slos[slo.sloth_id]).bad > allowed_bad(counted.total, slo.budget_ratio)
    }
    return sorted(beyond, key=lambda slo: -beyond[slo])


def holds(step: Step) -> bool:
    """Whether every SLO of this repository holds in a step."""
    return not broken(step.slos, committed())


def planned_seconds(rate: float, catalogue: Catalogue) -> float:
    """The length of a step at `rate` in seconds: long enough for one allowed bad event in every SLO."""
    needed = max(1 / slo.budget_ratio / (rate * SHARES[slo.service]) for slo in catalogue.slos)
    return min(MAX_SECONDS, max(MIN_SECONDS, needed))


def stationary(samples: Sequence[float]) -> bool:
    """Whether requests in flight, sampled at equal intervals, show no trend: the slope's 95 % interval contains 0."""
    count = len(samples)
    if count < 4:
        return False
    mean_at, mean = (count - 1) / 2, statistics.fmean(samples)
    spread = sum((at - mean_at) ** 2 for at in range(count))
    slope = sum((at - mean_at) * (value - mean) for at, value in enumerate(samples)) / spread
    residual = sum((value - mean - slope * (at - mean_at)) ** 2 for at, value in enumerate(samples))
    return abs(slope) <= 2 * (residual / (count - 2) / spread) ** 0.5 or abs(slope) * count < 1


@dataclass
class Stepper:
    """Runs steps against one lab."""

    clients: LabClients
    calibrator: Calibrator
    catalogue: Catalogue = field(default_factory=committed)
    _speed: tuple[float, float] = (0.0, -math.inf)  # the latest, and when it was measured

    @property
    def traffic(self) -> TrafficAdmin:
        """The load generator."""
        return TrafficAdmin.of(self.clients.home, self.clients.ports)

    def run(self, planned: Next, lose: Callable[[], None] | None = None, *, last: bool = False) -> Step:
        """Measure one step; afterwards no load is offered. `lose` is called under load, before counting begins.

        The `last` attempt at a step counts although the machine's speed changed.
        """
        processes = usage.pids(self.clients)
        before_speed = self._calibrated()
        rate, at = planned.offered_per_second, time.time()
        self.traffic.set_rate(rate)
        try:
            settled = self._settle()
            if lose is not None:
                lose()
            step_seconds = CURVE_SECONDS if planned.kind == CURVE else planned_seconds(rate, self.catalogue)
            cpu, counters, started = usage.Cpu.now(processes), Counters.now(self.clients.ports), time.monotonic()
            in_flight = self._count(started, step_seconds, rate, counters, early=planned.kind != CURVE)
            counted = Counters.now(self.clients.ports).since(counters)
            seconds, after = time.monotonic() - started, usage.Cpu.now(processes)
        finally:
            self.traffic.set_rate(0)
        evidence = usage.busy(self.clients, after.at, seconds)
        hits = usage.hit_ratio(self.clients, after.at, seconds)
        operations = usage.database_per_second(self.clients, after.at, seconds)
        cached = usage.cached(self.clients)
        duration = usage.database_seconds(self.clients, after.at, seconds)
        self._drain()
        speeds = (before_speed, self._calibrate())
        used, machine = after.since(cpu)
        return Step(
            configuration=planned.configuration,
            kind=planned.kind,
            block=planned.block,
            offered_per_second=rate,
            at=utc_text(at),
            seconds=round(seconds, 3),
            planned_seconds=round(step_seconds, 3),
            arrivals=counted.arrivals,
            good=counted.good,
            slos=counted.slos(self.catalogue),
            latency={service: counted.latency(route) for service, route in names.ROUTES.items()},
            in_flight=round(statistics.fmean(in_flight), 3) if in_flight else 0.0,
            stationary=settled,
            late_p99_seconds=round(counted.late_p99_seconds, 5),
            cpu_seconds={name: round(value, 3) for name, value in used.items()},
            machine={by: round(value, 3) for by, value in machine.items()},
            busy=evidence,
            hit_ratio=None if hits is None else round(hits, 4),
            database_per_second=round(operations, 2),
            database_seconds=round(duration, 6),
            cache_entries=cached[0],
            cache_bytes=cached[1],
            calibration=(round(speeds[0]), round(speeds[1])),
            refused=refusal(counted.late_p99_seconds, machine, speeds, last=last),
        )

    def _calibrated(self) -> float:
        """The machine's speed, measured again unless it just was."""
        speed, at = self._speed
        return speed if time.monotonic() - at < FRESH_SECONDS else self._calibrate()

    def _calibrate(self) -> float:
        self._speed = self.calibrator.speed(), time.monotonic()
        return self._speed[0]

    def _settle(self) -> bool:
        started, samples = time.monotonic(), list[float]()
        while (elapsed := time.monotonic() - started) < MAX_SETTLE_SECONDS:
            samples.append(float(self.traffic.state()["outstanding"]))
            if elapsed >= SETTLE_SECONDS and stationary(samples[-8:]):
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _count(self, started: float, seconds: float, rate: float, since: Counters, *, early: bool) -> list[float]:
        """Wait for the end of the step; returns the samples of requests in flight.

        With `early`, end as soon as an SLO has more bad events than it allows in the whole step.
        """
        in_flight = []
        while (left := started + seconds - time.monotonic()) > 0:
            time.sleep(min(left, POLL_SECONDS))
            in_flight.append(float(self.traffic.state()["outstanding"]))
            if (
                early
                and len(in_flight) % 4 == 0
                and self._cannot_hold(Counters.now(self.clients.ports).since(since), rate * seconds)
            ):
                break
        return in_flight

    def _cannot_hold(self, counted: Counters, arrivals: float) -> bool:
        slos = counted.slos(self.catalogue)
        return any(
            slos[slo.sloth_id].bad > allowed_bad(arrivals * SHARES[slo.service], slo.budget_ratio) + 1
            for slo in self.catalogue.slos
        )

    def _drain(self) -> None:
        end = time.monotonic() + DRAIN_SECONDS
        while self.traffic.state()["outstanding"] and time.monotonic() < end:
            time.sleep(0.1)


def refusal(late_seconds: float, machine: Mapping[str, float], speeds: tuple[float, float], *, last: bool) -> str:
    """Why a step does not count, or "". A change of the machine's speed does not matter in the `last` attempt."""
    total = sum(machine.values())
    if total and (others := machine["others"] / total) > MAX_OTHERS_RATIO:
        return f"other programs used {others:.0%} of the processors"
    if late_seconds > MAX_LATE_SECONDS:
        return f"the load generator was {late_seconds * 1000:.0f} ms late"
    if not last and (drift := calibration.drift(speeds)) > calibration.MAX_DRIFT:
        return f"the machine's speed changed by {drift:.0%}"
    return ""
