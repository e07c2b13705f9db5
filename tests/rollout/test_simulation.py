"""Healthy rollouts that the judge looks at every second: it aborts no more of them than alpha allows."""

from __future__ import annotations

import random

import pytest

from scripts import bench_rollout
from scripts.bench_rollout import LIMITS, UNLUCKY_RATIO, aborted, seconds_to_abort, upper_bound

RUNS = 60


@pytest.mark.parametrize("unlucky_ratio", [0.0, UNLUCKY_RATIO], ids=["independent requests", "unlucky clients"])
def test_healthy_rollouts_are_aborted_within_alpha(unlucky_ratio: float) -> None:
    count = sum(aborted(random.Random(run), unlucky_ratio) for run in range(RUNS))
    assert count <= 1 + LIMITS.alpha * RUNS


@pytest.mark.parametrize(("weight_percent", "within_seconds"), [(5, 8), (25, 4)])
def test_a_canary_that_is_slow_for_nearly_all_is_aborted_within_seconds(
    weight_percent: float, within_seconds: int
) -> None:
    times = [seconds_to_abort(random.Random(run), weight_percent, 0.97) for run in range(30)]
    assert None not in times
    assert max(time or 0 for time in times) <= within_seconds


# For none it is 1 - 0.05 ** (1 / n); for three about half of the 0.95 quantile of chi-square with 8 degrees of freedom.
@pytest.mark.parametrize(("events", "bound"), [(0, 1 - 0.05**0.001), (3, 15.507 / 2 / 1000)])
def test_the_upper_bound_is_that_of_clopper_and_pearson(events: int, bound: float) -> None:
    assert upper_bound(events, 1000) == pytest.approx(bound, rel=5e-3)


def test_the_figures_are_printed_with_the_bound(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_rollout.main(["--runs", "20"]) == 0
    first, *_ = capsys.readouterr().out.splitlines()
    assert first == "independent: 0 of 20 healthy rollouts aborted, at most 13.91% at 95 %; alpha is 1%"
