"""The capacity of each configuration of a sweep, from the steps that passed and failed.

P(pass) falls with the logarithm of the offered load along a logistic curve. All configurations share the slope, which
is how much the machine's noise blurs a capacity; each has its own midpoint. The estimate is Bayesian, as it is for the
psychometric functions that are measured with the same staircases (Kuss, Jäkel and Wichmann, "Bayesian inference for
psychometric functions", 2005): every midpoint within reach of the loads and every slope, on a logarithmic scale, is as
likely as any other before the sweep. A staircase keeps its loads near the capacity and says little about the slope, so
averaging over the slopes matters: the most likely slope alone is too steep, and its intervals too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lab.capacity.models.estimate import Estimate, around
from lab.errors import UsageError

SAFE_PASS_RATIO = 0.95  # of steps at the capacity with 5 % risk
# The slopes considered, as log odds per log load: from a capacity blurred by 30 % to one blurred by 1 %.
MIN_SLOPE, MAX_SLOPE, SLOPE_COUNT = 6.0, 180.0, 14
SLOPES = [MIN_SLOPE * (MAX_SLOPE / MIN_SLOPE) ** (index / (SLOPE_COUNT - 1)) for index in range(SLOPE_COUNT)]
# Midpoints are considered up to this factor beyond the loads measured.
REACH = math.log(1.25)
COARSE_POINTS, POINTS = 40, 60
NEGLIGIBLE = 12.0  # of a log likelihood: midpoints this much less likely than the best are left out


@dataclass(frozen=True)
class Step:
    """One step of a sweep: `offered` requests/s, and whether every objective held."""

    configuration: str
    offered: float
    passed: bool


@dataclass(frozen=True)
class Capacity:
    """The capacity of a configuration in requests per second: the loads at which 50 % and 95 % of steps pass.

    Without a failed step both have no upper end (infinite), without a passed one no lower end (0): the sweep must go
    on. `is_bracketed` says whether it had both.
    """

    half: Estimate
    safe: Estimate
    steps: int
    is_bracketed: bool


@dataclass(frozen=True)
class PassCurves:
    """The curves of all configurations; `slope` is of the log odds of a pass against the negative log of the load."""

    slope: float
    capacities: dict[str, Capacity]

    def pass_ratio(self, configuration: str, offered: float) -> float:
        """The ratio of steps at this load (requests/s, above 0) that pass. Raises KeyError for an unknown name."""
        return _ratio(self.slope * math.log(self.capacities[configuration].half.value / offered))


def fit(steps: Sequence[Step], *, confidence: float = 0.95) -> PassCurves:
    """Fit the curves to the steps of all configurations, in any order.

    Raises UsageError if a load is not a finite number above 0, and if all steps passed or all failed.
    """
    _check(steps)
    by_name: dict[str, list[Step]] = {}
    for step in steps:
        by_name.setdefault(step.configuration, []).append(step)
    grids = {name: _Grid.of(own) for name, own in by_name.items()}
    # The log likelihood of each slope by itself, all midpoints being equally likely.
    marginals = {name: [_log_sum(row) for row in grid.rows] for name, grid in grids.items()}
    totals = [sum(values) for values in zip(*marginals.values(), strict=True)]
    shares = _normalised(totals)
    slope = math.exp(sum(share * math.log(each) for share, each in zip(shares, SLOPES, strict=True)))

    def capacity(name: str) -> Capacity:
        passes = [step.passed for step in by_name[name]]
        rest = [total - mine for total, mine in zip(totals, marginals[name], strict=True)]
        half, safe = (grids[name].estimate(rest, ratio, confidence, passes) for ratio in (0.5, SAFE_PASS_RATIO))
        return Capacity(half, safe, len(passes), len(set(passes)) == 2)

    return PassCurves(slope, {name: capacity(name) for name in by_name})


@dataclass(frozen=True)
class _Grid:
    """The log likelihood of one configuration's steps, a row for each slope with a value for each log midpoint."""

    midpoints: list[float]
    rows: list[list[float]]

    @classmethod
    def of(cls, steps: Sequence[Step]) -> _Grid:
        trials = [(math.log(step.offered), 1 if step.passed else -1) for step in steps]
        low, high = min(x for x, _ in trials) - REACH, max(x for x, _ in trials) + REACH
        coarse = cls._between(trials, low, high, COARSE_POINTS)
        best = [max(values) for values in zip(*coarse.rows, strict=True)]
        likely = [at for at, value in zip(coarse.midpoints, best, strict=True) if value > max(best) - NEGLIGIBLE]
        step = (high - low) / (COARSE_POINTS - 1)
        return cls._between(trials, max(low, likely[0] - step), min(high, likely[-1] + step), POINTS)

    @classmethod
    def _between(cls, trials: Sequence[tuple[float, int]], low: float, high: float, points: int) -> _Grid:
        midpoints = [low + (high - low) * index / (points - 1) for index in range(points)]

        def row(slope: float) -> list[float]:
            return [sum(_log_ratio(sign * slope * (at - x)) for x, sign in trials) for at in midpoints]

        return cls(midpoints, [row(slope) for slope in SLOPES])

    def estimate(self, rest: Sequence[float], pass_ratio: float, confidence: float, passes: Sequence[bool]) -> Estimate:
        """The median and the central interval of the load at which `pass_ratio` of steps pass.

        `rest` is the log likelihood of each slope by the other configurations.
        """
        odds = math.log(pass_ratio / (1 - pass_ratio))
        weights = _normalised([other + value for row, other in zip(self.rows, rest, strict=True) for value in row])
        loads = [at - odds / slope for slope in SLOPES for at in self.midpoints]
        ordered = sorted(zip(loads, weights, strict=True))
        tail = (1 - confidence) / 2
        value, low, high = (math.exp(_quantile(ordered, q)) for q in (0.5, tail, 1 - tail))
        return around(value, low if any(passes) else 0.0, math.inf if all(passes) else high)


def _quantile(ordered: Sequence[tuple[float, float]], q: float) -> float:
    """The quantile of weighted values in ascending order, linear between the middles of their weights."""
    total, before, at = 0.0, ordered[0][0], 0.0
    for value, weight in ordered:
        middle = total + weight / 2
        if middle >= q:
            return before + (value - before) * (q - at) / (middle - at) if middle > at else value
        total, before, at = total + weight, value, middle
    return ordered[-1][0]


def _normalised(logs: Sequence[float]) -> list[float]:
    most = max(logs)
    weights = [math.exp(value - most) for value in logs]
    total = sum(weights)
    return [weight / total for weight in weights]


def _log_sum(logs: Sequence[float]) -> float:
    most = max(logs)
    return most + math.log(sum(math.exp(value - most) for value in logs))


def _log_ratio(odds: float) -> float:
    """The logarithm of the pass ratio at these log odds."""
    return -math.log1p(math.exp(-odds)) if odds > -35 else odds


def _check(steps: Sequence[Step]) -> None:
    for step in steps:
        if not 0 < step.offered < math.inf:
            raise UsageError(f"{step.configuration}: {step.offered} requests/s is not a load")
    passed = sum(step.passed for step in steps)
    if passed in (0, len(steps)):
        raise UsageError(
            "no step passed; sweep at lower loads" if not passed else "no step failed; sweep at higher loads"
        )


def _ratio(log_odds: float) -> float:
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, log_odds))))
