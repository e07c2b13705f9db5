"""A capacity plan: what a demand needs of each resource, which term decides, and whether that was measured."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from lab.capacity.analysis import Analysis, service_processes
from lab.capacity.documents import STAIRCASE, Step
from lab.capacity.models import queueing
from lab.capacity.models.estimate import Estimate
from lab.capacity.models.student import two_sided_quantile
from lab.capacity.policy import Demand
from lab.errors import LabError, UsageError

MEASURED, MODELLED, BEYOND = "measured", "modelled", "beyond the model"
# A model is not trusted beyond this multiple of the highest load that was measured.
MAX_EXTRAPOLATION = 2.0
# Connections: at most this ratio of requests waits for one.
WAITING_RATIO = 0.01
CORES, CACHE = "cores", "cache, MiB"
FRACTIONS = (CORES, CACHE)  # amounts that are no whole numbers
MIB = 2**20

Requests = Callable[[Step], int]


def all_requests(step: Step) -> int:
    """All arrivals of a step."""
    return step.arrivals


def feed_requests(step: Step) -> int:
    """The feed requests of a step."""
    return step.slos["feed-availability"].total


def user_requests(step: Step) -> int:
    """The user requests of a step."""
    return step.slos["user-availability"].total


@dataclass(frozen=True)
class Need:
    """What is needed of one resource, the term that decides, and the basis: measured, modelled, or beyond the model."""

    resource: str
    amount: Estimate
    term: str
    basis: str

    @property
    def shown(self) -> str:
        """The amount for a person: a whole number, rounded up, or one digit of cores and memory."""
        return f"{self.amount.value:.1f}" if self.resource in FRACTIONS else f"{math.ceil(self.amount.value)}"

    @property
    def interval(self) -> str:
        """The interval for a person."""
        low, high = self.amount.low, self.amount.high
        return f"{low:.1f} to {high:.1f}" if self.resource in FRACTIONS else f"{math.ceil(low)} to {math.ceil(high)}"


@dataclass(frozen=True)
class Planner:
    """Plans with the measurements of one sweep."""

    analysis: Analysis

    def plan(self, demand: Demand) -> list[Need]:
        """The needs of each resource. Raises UsageError for a demand that is none."""
        check(demand)
        return [
            self._processes("gateway", sized(demand, demand.peak_per_second), all_requests, spare=0),
            self._processes("feed", sized(demand, demand.feed_per_second), feed_requests, spare=1),
            self._processes("user", sized(demand, demand.user_per_second), user_requests, spare=1),
            self._cores(demand),
            self._connections(demand),
            self._cache(demand),
        ]

    @property
    def _steps(self) -> list[Step]:
        """The steps of the staircases: near the limit, so that the fixed cost of a process hardly counts."""
        return [step for step in self.analysis.sweep.counted if step.kind == STAIRCASE]

    def _processes(self, service: str, load: float, requests: Requests, *, spare: int) -> Need:
        """A process computes on one core at most, and is full at the utilisation that it had at a measured limit."""
        full = max(max(service_processes(step, service).values(), default=0.0) / step.seconds for step in self._steps)
        if not full:
            raise LabError(f"the sweep has no processor time of {service}; run `make capacity` to measure it again")
        cost = self._cost(lambda step: sum(service_processes(step, service).values()), requests)
        amount = _scaled(cost, load / full)
        whole = Estimate(*(max(1, math.ceil(each)) + spare for each in (amount.value, amount.low, amount.high)))
        measured = max(
            requests(step) / step.seconds / max(1, len(service_processes(step, service))) for step in self._steps
        )
        alone = spare == 0  # there is one gateway: more than one was never measured
        basis = _basis(load if alone else load / max(1, math.ceil(amount.value)), measured)
        term = f"{_ms(cost)} of one core per request, full at {full:.0%}" + ("; one more, to lose" if spare else "")
        return Need(f"{service} processes", whole, term, BEYOND if alone and whole.value > 1 else basis)

    def _cores(self, demand: Demand) -> Need:
        """Processor time of everything but the load generator, which is not part of a production system."""
        load = sized(demand, demand.peak_per_second)
        cost = self._cost(
            lambda step: sum(step.cpu_seconds.values()) - step.cpu_seconds.get("traffic", 0.0), all_requests
        )
        measured = max(step.arrivals / step.seconds for step in self._steps)
        term = f"{_ms(cost)} of processor time per request, all processes but the load generator"
        return Need(CORES, _scaled(cost, load), term, _basis(load, measured))

    def _connections(self, demand: Demand) -> Need:
        """Connections in use are operations per second times their duration (Little); waiting needs some more."""
        load = sized(demand, demand.peak_per_second)
        each = [step.database_per_second / (step.arrivals / step.seconds) for step in self._steps if step.arrivals]
        held = [step.database_seconds for step in self._steps]
        rate, hold = statistics.fmean(each) * load, statistics.fmean(held)
        sizes = [
            queueing.pool_size(rate * part, hold, longer_ratio=WAITING_RATIO, wait_seconds=hold)
            for part in (1.0, min(each) / statistics.fmean(each), max(each) / statistics.fmean(each))
        ]
        measured = max(step.arrivals / step.seconds for step in self._steps)
        term = f"{rate:.0f} operations per second of {hold * 1000:.1f} ms; {WAITING_RATIO:.0%} may wait"
        return Need("database connections", Estimate(*sizes), term, _basis(load, measured))

    def _cache(self, demand: Demand) -> Need:
        """What the entries take. Their number grows with the users that are active, not with their requests."""
        entries = max(step.cache_entries for step in self._steps)
        sizes = [step.cache_bytes / step.cache_entries for step in self._steps if step.cache_entries]
        if not sizes:
            raise LabError("the sweep found the cache empty; run `make capacity` to measure it again")
        load = sized(demand, demand.peak_per_second)
        measured = max(step.arrivals / step.seconds for step in self._steps)
        mean = statistics.fmean(sizes)
        amount = Estimate(*(entries * size / MIB / (1 - demand.headroom) for size in (mean, min(sizes), max(sizes))))
        term = f"{entries} entries of {mean / 1000:.1f} kB; grows with active users, not with requests"
        return Need(CACHE, amount, term, _basis(load, measured))

    def _cost(self, seconds: Callable[[Step], float], requests: Requests) -> Estimate:
        """Processor seconds per request, with the interval of its mean over the steps."""
        each = [seconds(step) / count for step in self._steps if (count := requests(step))]
        mean = statistics.fmean(each)
        if len(each) < 2:
            return Estimate(mean, 0.0, math.inf)
        half = two_sided_quantile(0.95, len(each) - 1) * statistics.stdev(each) / len(each) ** 0.5
        return Estimate(mean, max(0.0, mean - half), mean + half)


def check(demand: Demand) -> None:
    """Raises UsageError for a demand that is none."""
    feed, user = demand.feed_per_second, demand.user_per_second
    if not (0 <= feed < math.inf and 0 <= user < math.inf and feed + user > 0):
        raise UsageError(f"a peak of {feed:g} feed and {user:g} user requests per second is no load")
    if not 1 <= demand.burst < math.inf:
        raise UsageError(f"a burst of {demand.burst:g} times the peak must be 1 (no burst) or more")
    if not 0 <= demand.headroom < 1:
        raise UsageError(f"a headroom of {demand.headroom:g} must be a ratio from 0 to below 1, such as 0.3")


def sized(demand: Demand, peak: float) -> float:
    """The load that resources are sized for: the burst above the peak, with the headroom left free."""
    return peak * demand.burst / (1 - demand.headroom)


def _basis(load: float, measured: float) -> str:
    return MEASURED if load <= measured else MODELLED if load <= MAX_EXTRAPOLATION * measured else BEYOND


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(estimate.value * factor, estimate.low * factor, estimate.high * factor)


def _ms(seconds: Estimate) -> str:
    return f"{seconds.value * 1000:.1f} ms"
