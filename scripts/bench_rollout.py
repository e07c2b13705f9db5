"""Simulated rollouts: how often the judge aborts a healthy version, and how soon it stops a bad one.

    python -m scripts.bench_rollout [--runs N] [--record FILE] [--json]

Requests arrive at the lab's default rate and go bad independently, or by client: a version's share of the clients is
drawn for each rollout, as its hash salt is, and the requests of an unlucky client all go bad. The judge looks after
every second. Policy, SLOs and windows are those of rules/. The exit status is 1 when healthy versions are aborted more
often than alpha allows.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from lab.errors import LabError
from lab.rollout.evidence import Arm, Interval, Pair, harm, health
from lab.rollout.judge import harm_over_time
from lab.rollout.policy import FULL_PERCENT, read_policy
from lab.site.sources.benchmarks import Detection, FalseAborts, Ladder
from lab.slo.catalogue import LAB, load_windows, slos_of
from lab.traffic.__main__ import DEFAULT_RATE
from lab.traffic.mix import FEED_RATIO
from scripts.figures import write_section

REQUESTS_PER_SECOND = DEFAULT_RATE * FEED_RATIO
CLIENTS = 400
POLICY = read_policy()
LIMITS = POLICY.limits
# At 100 % there is no stable version to compare with.
STEPS_PERCENT = tuple(weight for weight in POLICY.steps_percent if weight < FULL_PERCENT)
STEP_SECONDS = 100
# Bad ratios of a healthy version: the share of requests that miss each of the feed's SLOs in calm operation.
HEALTHY = {"feed-availability": 0.0005, "feed-latency-p95": 0.01, "feed-latency-p99": 0.002}
BAD_SLO = "feed-latency-p99"  # the one that a bad version misses
UNLUCKY_RATIO = 0.02
_CASES = {
    "independent": "requests go bad independently",
    "unlucky_clients": f"{UNLUCKY_RATIO:.0%} of the clients have only bad requests",
}
BAD_RATIOS = (1.0, 0.2, 0.05)
WEIGHTS_PERCENT = tuple(sorted({1.0, 2.0, 10.0, 90.0, *STEPS_PERCENT}))
DETECTION_SECONDS = 600


class Traffic:
    """The clients of one rollout at one weight, and the seconds of their traffic: the intervals of one SLO.

    `unlucky_ratio` of all clients have only bad requests, whatever version answers them.
    """

    def __init__(self, rng: random.Random, weight_percent: float, unlucky_ratio: float = 0.0) -> None:
        self._rng = rng
        order = rng.sample(range(CLIENTS), CLIENTS)
        self._split = round(weight_percent / 100 * CLIENTS)
        self._arms = order[: self._split], order[self._split :]
        self._unlucky = round(unlucky_ratio * CLIENTS)  # the first clients by number

    def intervals(self, seconds: int, canary_bad: float, stable_bad: float) -> Iterator[Interval]:
        """One interval a second; `canary_bad` and `stable_bad`: the bad ratios of clients that are not unlucky."""
        seen: tuple[set[int], set[int]] = (set(), set())
        hit: tuple[set[int], set[int]] = (set(), set())
        for _ in range(seconds):
            requests, at_risk = [], []
            for arm, bad_ratio in enumerate((canary_bad, stable_bad)):
                rate = REQUESTS_PER_SECOND * len(self._arms[arm]) / CLIENTS
                askers = self._rng.choices(self._arms[arm], k=_poisson(self._rng, rate))
                bad = [client for client in askers if client < self._unlucky or self._rng.random() < bad_ratio]
                seen[arm].update(askers)
                new = set(bad) - hit[arm]
                at_risk.append(Arm(len(seen[arm]) - len(hit[arm]), len(new)))
                hit[arm].update(new)
                requests.append(Arm(len(askers), len(bad)))
            yield Interval(Pair(*requests), Pair(*at_risk))


def _poisson(rng: random.Random, mean: float) -> int:
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count, product = count + 1, product * rng.random()
    return count


@dataclass(frozen=True)
class Look:
    """What the judge sees after a second of a step: log evidence of harm, of health where there is least of it, and
    the bad requests that the canary has served since the step began.
    """

    harm: float
    health: float
    bad_requests: int


def looks(traffic: Traffic, seconds: int, canary: Sequence[float], bounds: Sequence[float]) -> Iterator[Look]:
    """One look a second at a version with these bad ratios, beside a healthy stable one. All are by SLO, as HEALTHY."""
    harms, healths, costs = [], [], []
    for bad_ratio, healthy, bound in zip(canary, HEALTHY.values(), bounds, strict=True):
        first, second, third = itertools.tee(traffic.intervals(seconds, bad_ratio, healthy), 3)
        harms.append(harm((interval.clients for interval in first), LIMITS.margin))
        healths.append(health((interval.requests.canary for interval in second), bound))
        costs.append(itertools.accumulate(interval.requests.canary.bad for interval in third))
    rows = zip(harm_over_time(harms), zip(*healths, strict=True), zip(*costs, strict=True), strict=True)
    for harmful, healthy_logs, bad in rows:
        yield Look(harmful, min(healthy_logs), max(bad))


def _of(bad_ratio: float) -> list[float]:
    """The bad ratios of a version of which `bad_ratio` of the requests miss one SLO."""
    return [bad_ratio if slo == BAD_SLO else healthy for slo, healthy in HEALTHY.items()]


def _bounds(step: int) -> list[float]:
    bounds = POLICY.bounds(slos_of("feed"), load_windows(LAB), step)
    return [bounds[slo] for slo in HEALTHY]


def aborted(rng: random.Random, unlucky_ratio: float = 0.0) -> bool:
    """Whether one rollout of a healthy version is aborted at any step, looked at after every second."""
    return any(
        look.harm >= LIMITS.harm_threshold
        for step, weight in enumerate(STEPS_PERCENT)
        for look in looks(Traffic(rng, weight, unlucky_ratio), STEP_SECONDS, list(HEALTHY.values()), _bounds(step))
    )


def stopped(rng: random.Random, weight_percent: float, bad_ratio: float) -> tuple[int, int] | None:
    """(seconds, bad requests) until the judge fails a version at one weight; None: not within DETECTION_SECONDS.

    `bad_ratio` of the version's requests miss one SLO. The step does not end before, however healthy it looks.
    """
    for second, look in enumerate(
        looks(Traffic(rng, weight_percent), DETECTION_SECONDS, _of(bad_ratio), _bounds(0)), start=1
    ):
        if look.harm >= LIMITS.harm_threshold:
            return second, look.bad_requests
    return None


def rolled_out(rng: random.Random, bad_ratio: float) -> tuple[str, int, int]:
    """(outcome, seconds, bad requests) of a rollout over the whole ladder: aborted, promoted or held."""
    seconds = cost = 0
    for step, weight in enumerate(POLICY.steps_percent):
        look = Look(0.0, 0.0, 0)
        watched = looks(Traffic(rng, weight), int(POLICY.deadline_seconds), _of(bad_ratio), _bounds(step))
        for second, look in enumerate(watched, start=1):
            seconds += 1
            if look.harm >= LIMITS.harm_threshold:
                return "aborted", seconds, cost + look.bad_requests
            if look.health >= LIMITS.health_threshold and second >= POLICY.dwell_seconds:
                break
        else:
            return "held", seconds, cost + look.bad_requests
        cost += look.bad_requests
    return "promoted", seconds, cost


def upper_bound(events: int, runs: int, confidence: float = 0.95) -> float:
    """Clopper and Pearson's upper bound (one-sided) of a ratio, by bisection on the binomial distribution."""
    low, high = events / runs, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(events, runs, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(events: int, runs: int, ratio: float) -> float:
    """The probability of at most `events` in `runs` trials."""
    return sum(math.comb(runs, k) * ratio**k * (1 - ratio) ** (runs - k) for k in range(events + 1))


def measure(runs: int, seed: int = 1) -> dict[str, Any]:
    """False aborts of healthy versions, and what becomes of bad ones: at one weight, and over the whole ladder.

    Those of bad versions are of a fifth of the runs.
    """
    healthy = {}
    for name, ratio in zip(_CASES, (0.0, UNLUCKY_RATIO), strict=True):
        count = sum(aborted(_generator(seed, run), ratio) for run in range(runs))
        healthy[name] = FalseAborts(aborted=count, upper_bound_ratio=upper_bound(count, runs))
    few = runs // 5
    return {
        "runs": runs,
        "bad_runs": few,
        "unlucky_ratio": UNLUCKY_RATIO,
        "within_seconds": DETECTION_SECONDS,
        "policy": msgspec.to_builtins(POLICY),
        "healthy": msgspec.to_builtins(healthy),
        "detection": [
            msgspec.to_builtins(_detection(weight, bad_ratio, few, seed))
            for bad_ratio in BAD_RATIOS
            for weight in WEIGHTS_PERCENT
        ],
        "ladder": [msgspec.to_builtins(_ladder(bad_ratio, few, seed)) for bad_ratio in BAD_RATIOS],
    }


def _detection(weight: float, bad_ratio: float, runs: int, seed: int) -> Detection:
    found = [stopped(_generator(seed, run), weight, bad_ratio) for run in range(runs)]
    times = sorted(math.inf if stop is None else stop[0] for stop in found)
    costs = sorted(math.inf if stop is None else stop[1] for stop in found)
    return Detection(
        weight_percent=weight, bad_ratio=bad_ratio,
        median_seconds=_finite(_quantile(times, 0.5)), p95_seconds=_finite(_quantile(times, 0.95)),
        p95_bad_requests=_finite(_quantile(costs, 0.95)),
    )  # fmt: skip


def _ladder(bad_ratio: float, runs: int, seed: int) -> Ladder:
    found = [rolled_out(_generator(seed, run), bad_ratio) for run in range(runs)]
    outcomes = [outcome for outcome, _, _ in found]
    stops = sorted(seconds for outcome, seconds, _ in found if outcome == "aborted")
    return Ladder(
        bad_ratio=bad_ratio,
        aborted=outcomes.count("aborted"), promoted=outcomes.count("promoted"), held=outcomes.count("held"),
        median_seconds=_quantile(stops, 0.5) if stops else None,
        p95_bad_requests=_quantile(sorted(cost for _, _, cost in found), 0.95),
    )  # fmt: skip


def _quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[int(len(ordered) * part)]


def _finite(value: float) -> float | None:
    return value if value < math.inf else None


def _generator(seed: int, run: int) -> random.Random:
    return random.Random(f"{seed}/{run}")  # noqa: S311 - a simulation


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures. Returns 0 if healthy versions are aborted no more often than alpha allows."""
    parser = argparse.ArgumentParser(
        prog="bench_rollout",
        description="Simulated rollouts: false aborts of healthy versions, and the time to abort of bad ones.",
        epilog="example: python -m scripts.bench_rollout --runs 1000 --record docs/figures/bench.json",
    )
    parser.add_argument("--runs", type=int, default=1000, help="rollouts of a healthy version (1000)")
    parser.add_argument("--record", type=Path, help="JSON file to store the figures in")
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of text")
    options = parser.parse_args(arguments)
    if options.runs < 20:
        parser.error(f"--runs {options.runs}: must be at least 20")
    try:
        figures = measure(options.runs)
        if options.record:
            write_section(options.record, "rollout", figures)
    except LabError as error:
        sys.stderr.write(f"bench_rollout: {error}\n")
        return error.exit_status
    sys.stdout.write((json.dumps(figures) if options.json else text(figures)) + "\n")
    return int(any(row["aborted"] > LIMITS.alpha * options.runs for row in figures["healthy"].values()))


def text(figures: dict[str, Any]) -> str:
    """The figures for a terminal."""
    lines = [
        f"{_CASES[name]}: {row['aborted']} of {figures['runs']} healthy rollouts aborted, at most"
        f" {row['upper_bound_ratio']:.2%} at 95 %; alpha is {LIMITS.alpha:.0%}"
        for name, row in figures["healthy"].items()
    ]
    lines += [
        f"{row['weight_percent']:3.0f} % weight, {row['bad_ratio']:4.0%} bad: aborted in {row['median_seconds']} s"
        f" (median), {row['p95_seconds']} s (p95), after {row['p95_bad_requests']} bad requests (p95)"
        for row in figures["detection"]
    ]
    lines += [
        f"whole ladder, {row['bad_ratio']:4.0%} bad: {row['aborted']} of {figures['bad_runs']} aborted, in"
        f" {row['median_seconds']} s (median); {row['p95_bad_requests']} bad requests (p95)"
        for row in figures["ladder"]
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
