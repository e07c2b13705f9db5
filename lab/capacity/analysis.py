"""What a sweep says: the capacity of each configuration, what breaks first, and which resource is the bottleneck."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from lab.capacity.configurations import DEFAULT
from lab.capacity.documents import CURVE, STAIRCASE, Step, Sweep
from lab.capacity.models import pass_curve, queueing, usl
from lab.capacity.models.estimate import Estimate
from lab.capacity.step import broken, holds
from lab.slo.catalogue import committed

# Steps within this ratio of the capacity tell what the limit looks like.
NEAR_RATIO = 0.1
# Processes that run in one Python interpreter, whose lock lets one thread compute at a time: one core at most.
INTERPRETERS = ("gateway", "user", "feed")


@dataclass(frozen=True)
class CpuCost:
    """Processor use as a line: `background_cores` without load, and `seconds` per request."""

    background_cores: float
    seconds: float

    def bound(self, cores: float) -> float:
        """The requests per second at which `cores` are used up (the utilisation law)."""
        return max(0.0, cores - self.background_cores) / self.seconds if self.seconds > 0 else math.inf


@dataclass(frozen=True)
class Limit:
    """One configuration: its capacity in requests per second, and what is used at it.

    `breaks` counts by SLO how often it was furthest beyond its objective in the failed steps near the capacity.
    `utilisation` is the mean utilisation (0 to 1) of each resource in the steps near it, the highest first.
    """

    name: str
    capacity: pass_curve.Capacity
    steps: int
    breaks: Mapping[str, int]
    utilisation: Mapping[str, float]
    cost: CpuCost
    hit_ratio: float | None
    p99_seconds: float

    @property
    def first_to_break(self) -> str:
        """The id of the SLO that most often broke; "" when none did."""
        return next(iter(self.breaks), "")

    @property
    def bottleneck(self) -> tuple[str, float]:
        """The resource with the highest utilisation at the capacity, and that utilisation."""
        return next(iter(self.utilisation.items()), ("", 0.0))


@dataclass(frozen=True)
class HeldOut:
    """A step that a fit has not seen: requests in flight, measured goodput and predicted, in requests per second."""

    in_flight: float
    measured: float
    predicted: Estimate

    @property
    def relative_error(self) -> float:
        """How far the prediction is above the measurement, relative to it."""
        return self.predicted.value / self.measured - 1


@dataclass(frozen=True)
class Analysis:
    """The figures of one sweep, computed when they are asked for.

    `reference` is the speed of the machine that loads are stated for, in loops per processor second; without it, the
    median over the sweep.
    """

    sweep: Sweep
    reference: float | None = None

    @cached_property
    def curves(self) -> pass_curve.PassCurves:
        """The pass curves of all configurations. Raises UsageError when the steps do not determine them."""
        return pass_curve.fit(
            [
                pass_curve.Step(step.configuration, self.load(step), holds(step))
                for step in self.sweep.counted
                if step.kind == STAIRCASE
            ]
        )

    @cached_property
    def usual_speed(self) -> float:
        """The speed that loads are stated for."""
        return self.reference or statistics.median(step.speed for step in self.sweep.counted)

    def load(self, step: Step) -> float:
        """The offered load of a step as it would be on the machine at its usual speed, in requests per second."""
        return step.offered_per_second * self.usual_speed / step.speed

    def goodput(self, step: Step) -> float:
        """The goodput of a step as it would be on the machine at its usual speed, in requests per second."""
        return step.goodput_per_second * self.usual_speed / step.speed

    @cached_property
    def limits(self) -> dict[str, Limit]:
        """The limit of each configuration, by name."""
        return {name: self._limit(name) for name in self.sweep.header.configurations if name in self.curves.capacities}

    @property
    def default(self) -> Limit:
        """The limit of the default configuration."""
        return self.limits[DEFAULT]

    @property
    def curve(self) -> list[Step]:
        """The default configuration over the whole range of loads, lowest first."""
        steps = [step for step in self.sweep.counted if step.kind == CURVE]
        return sorted(steps, key=lambda step: step.offered_per_second)

    @property
    def most_goodput(self) -> float:
        """The highest goodput of the curve in requests per second: what is served, however much is offered."""
        return max(self.goodput(step) for step in self.curve)

    @cached_property
    def scalability(self) -> usl.UslFit:
        """The Universal Scalability Law fitted to requests in flight and goodput of the curve."""
        return usl.fit(self.points(self.curve))

    def points(self, steps: Iterable[Step]) -> list[tuple[float, float]]:
        """(requests in flight, goodput) of each step."""
        return [(step.in_flight, self.goodput(step)) for step in steps if step.in_flight > 0]

    @property
    def held_out(self) -> list[HeldOut]:
        """The default's steps at the limit, which the fit of the curve has not seen, with what it predicts for them."""
        reach = usl.MAX_EXTRAPOLATION * self.scalability.largest_n
        steps = [step for step in self._staircase(DEFAULT) if 0 < step.in_flight <= reach]
        return [
            HeldOut(n, measured, self.scalability.predict(n))
            for n, measured in self.points(self._near(steps, self.default.capacity.half.value))
        ]

    def _staircase(self, name: str) -> list[Step]:
        return [step for step in self.sweep.counted if (step.configuration, step.kind) == (name, STAIRCASE)]

    def little(self, step: Step) -> queueing.LittleCheck:
        """Little's law on one step: requests in flight against throughput times mean latency."""
        requests = {service: step.slos[f"{service}-latency-p99"].total for service in step.latency}
        total = sum(requests.values())
        mean = sum(step.latency[service].mean_seconds * count for service, count in requests.items()) / total
        return queueing.littles_law(step.in_flight, total / step.seconds, mean)

    def _limit(self, name: str) -> Limit:
        steps = self._staircase(name)
        capacity = self.curves.capacities[name]
        near = self._near(steps, capacity.half.value)
        failed = [slos[0] for step in near if (slos := broken(step.slos, committed()))]
        hits = [step.hit_ratio for step in near if step.hit_ratio is not None]
        return Limit(
            name=name,
            capacity=capacity,
            steps=len(steps),
            breaks=dict(Counter(failed).most_common()),
            utilisation=_utilisation(near),
            cost=cpu_cost(self.sweep.counted if name == DEFAULT else steps, name),
            hit_ratio=statistics.fmean(hits) if hits else None,
            p99_seconds=statistics.fmean(step.latency["feed"].p99_seconds for step in near),
        )

    def _near(self, steps: Sequence[Step], load: float) -> list[Step]:
        """The steps near a load, or the nearest one."""
        near = [step for step in steps if abs(self.load(step) / load - 1) <= NEAR_RATIO]
        return near or [min(steps, key=lambda step: abs(self.load(step) - load))]


def _utilisation(steps: Sequence[Step]) -> dict[str, float]:
    each = [utilisation(step) for step in steps]
    known = {name for one in each for name in one}
    mean = {name: statistics.fmean(one.get(name, 0.0) for one in each) for name in known}
    return dict(sorted(mean.items(), key=lambda item: (-item[1], item[0])))


def utilisation(step: Step) -> dict[str, float]:
    """The utilisation (0 to 1) of each resource in one step: processors, interpreters, threads, connections."""
    used = {"machine CPU": 1 - step.machine["idle"] / (sum(step.machine.values()) or 1.0), **step.busy}
    for service in INTERPRETERS:
        if seconds := service_processes(step, service).values():
            used[f"{service} interpreter"] = max(seconds) / step.seconds
    return used


def service_processes(step: Step, service: str) -> dict[str, float]:
    """Processor seconds of the processes of a service in one step, by process."""
    return {
        name: value
        for name, value in step.cpu_seconds.items()
        if name == service or (name.startswith(f"{service}-") and name.removeprefix(f"{service}-").isdigit())
    }


def cpu_cost(steps: Sequence[Step], configuration: str) -> CpuCost:
    """The processor use of a configuration as a line through its steps (least squares)."""
    points = [
        (step.arrivals / step.seconds, sum(step.cpu_seconds.values()) / step.seconds)
        for step in steps
        if step.configuration == configuration
    ]
    rates, cores = zip(*points, strict=True)
    if len(set(rates)) == 1:
        return CpuCost(0.0, statistics.fmean(cores) / rates[0])
    slope, background = statistics.linear_regression(rates, cores)
    return CpuCost(background, slope)


def agree(one: Estimate, other: Estimate) -> bool:
    """Whether two estimates agree: their intervals overlap."""
    return one.low <= other.high and other.low <= one.high
