"""Healthy rollouts that the judge looks at every second: it aborts no more of them than alpha allows."""

from __future__ import annotations

import random

import pytest

from scripts import bench_rollout
from scripts.bench_rollout import LIMITS, UNLUCKY_RATIO, aborted, rolled_out, stopped, upper_bound

pytestmark = pytest.mark.batch

RUNS = 60


@pytest.mark.parametrize("unlucky_ratio", [0.0, UNLUCKY_RATIO], ids=["independent requests", "unlucky clients"])
def test_healthy_rollouts_are_aborted_within_alpha(unlucky_ratio: float) -> None:
    count = sum(aborted(random.Random(run), unlucky_ratio) for run in range(RUNS))
    assert count <= 1 + LIMITS.alpha * RUNS


@pytest.mark.parametrize(("weight_percent", "within_seconds", "cost"), [(5, 8, 25), (25, 4, 50)])
def test_a_canary_that_is_slow_for_all_is_aborted_within_seconds_after_few_bad_requests(
    weight_percent: float, within_seconds: int, cost: int
) -> None:
    for run in range(30):
        stop = stopped(random.Random(run), weight_percent, 1.0)
        assert stop is not None
        seconds, bad_requests = stop
        assert seconds <= within_seconds
        assert 2 <= bad_requests <= cost


def test_a_rollout_ends_at_the_first_step_for_a_bad_version_and_is_promoted_for_a_healthy_one() -> None:
    outcome, seconds, bad_requests = rolled_out(random.Random(1), 1.0)
    assert (outcome, seconds <= 8, bad_requests <= 25) == ("aborted", True, True)
    outcome, seconds, bad_requests = rolled_out(random.Random(1), bench_rollout.HEALTHY[bench_rollout.BAD_SLO])
    assert outcome == "promoted"
    assert seconds >= 4 * bench_rollout.POLICY.dwell_seconds


# For none it is 1 - 0.05 ** (1 / n); for three about half of the 0.95 quantile of chi-square with 8 degrees of freedom.
@pytest.mark.parametrize(("events", "bound"), [(0, 1 - 0.05**0.001), (3, 15.507 / 2 / 1000)])
def test_the_upper_bound_is_that_of_clopper_and_pearson(events: int, bound: float) -> None:
    assert upper_bound(events, 1000) == pytest.approx(bound, rel=5e-3)


def test_the_figures_are_printed_with_the_bound(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_rollout.main(["--runs", "20"]) == 0
    first, *_ = capsys.readouterr().out.splitlines()
    bound = "0 of 20 healthy rollouts aborted, at most 13.91% at 95 %; alpha is 1%"
    assert first == f"requests go bad independently: {bound}"
