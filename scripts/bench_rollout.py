"""Simulated rollouts: how often the judge aborts a healthy version, and how soon it stops a bad one.

    python -m scripts.bench_rollout [--runs N] [--record FILE] [--json]

Requests arrive at the lab's default rate and go bad independently, or by client: a version's share of the clients is
drawn for each rollout, as its hash salt is, and the requests of an unlucky client all go bad. The judge looks after
every second. The exit status is 1 when healthy versions are aborted more often than alpha allows.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.rollout.evidence import Arm, Interval, Pair, harm
from lab.rollout.judge import Limits, harm_over_time
from scripts.figures import write_section

REQUESTS_PER_SECOND = 40.0
CLIENTS = 400
STEPS_PERCENT = (5.0, 25.0, 50.0)  # at 100 % there is no stable version to compare with
STEP_SECONDS = 100
# Bad ratios of a healthy version: the share of requests that miss each of the feed's SLOs in calm operation.
HEALTHY = (0.0005, 0.01, 0.002)
UNLUCKY_RATIO = 0.02
LIMITS = Limits(margin=2, alpha=0.01, confidence=0.95, steps=4)
BAD_RATIOS = (0.97, 0.2, 0.05, 0.02)
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


def aborted(rng: random.Random, unlucky_ratio: float = 0.0) -> bool:
    """Whether one rollout of a healthy version is aborted at any step, looked at after every second."""
    return any(
        _first_abort(Traffic(rng, weight, unlucky_ratio), STEP_SECONDS, HEALTHY, HEALTHY) is not None
        for weight in STEPS_PERCENT
    )


def seconds_to_abort(rng: random.Random, weight_percent: float, bad_ratio: float) -> int | None:
    """Seconds until the judge fails a version of which `bad_ratio` of the requests miss one SLO; None: not in time."""
    canary = (*HEALTHY[:-1], bad_ratio)
    return _first_abort(Traffic(rng, weight_percent), DETECTION_SECONDS, canary, HEALTHY)


def _first_abort(traffic: Traffic, seconds: int, canary: Sequence[float], stable: Sequence[float]) -> int | None:
    series = [
        list(harm((interval.clients for interval in traffic.intervals(seconds, *ratios)), LIMITS.margin))
        for ratios in zip(canary, stable, strict=True)
    ]
    over = (second for second, log in enumerate(harm_over_time(series), start=1) if log >= LIMITS.harm_threshold)
    return next(over, None)


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
    """False aborts of healthy versions, with the bound of their ratio, and the times to abort of bad versions."""
    healthy = {}
    for name, ratio in (("independent", 0.0), ("unlucky_clients", UNLUCKY_RATIO)):
        count = sum(aborted(_generator(seed, run), ratio) for run in range(runs))
        healthy[name] = {"aborted": count, "upper_bound_ratio": upper_bound(count, runs)}
    detection = []
    for weight in STEPS_PERCENT[:2]:
        for bad_ratio in BAD_RATIOS:
            found = [seconds_to_abort(_generator(seed, run), weight, bad_ratio) for run in range(runs // 10)]
            times = sorted(math.inf if seconds is None else seconds for seconds in found)
            median, late = times[len(times) // 2], times[int(len(times) * 0.95)]
            detection.append(
                {
                    "weight_percent": weight, "bad_ratio": bad_ratio,
                    "median_seconds": median if median < math.inf else None,
                    "p95_seconds": late if late < math.inf else None,
                }
            )  # fmt: skip
    return {"runs": runs, "alpha": LIMITS.alpha, "healthy": healthy, "detection": detection}


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
        f"{name.replace('_', ' ')}: {row['aborted']} of {figures['runs']} healthy rollouts aborted, at most"
        f" {row['upper_bound_ratio']:.2%} at 95 %; alpha is {figures['alpha']:.0%}"
        for name, row in figures["healthy"].items()
    ]
    lines += [
        f"{row['weight_percent']:3.0f} % weight, {row['bad_ratio']:4.0%} bad: aborted in {row['median_seconds']} s"
        f" (median), {row['p95_seconds']} s (p95)"
        for row in figures["detection"]
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
