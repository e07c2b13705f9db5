"""The burn-rate arithmetic that alerts, drills and proofs rely on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.slo import find_slo, load_windows
from lab.slo.burn_rate import (
    FOREVER,
    alert_intervals,
    budget_spent_ratio,
    detection_seconds,
    first_detection,
    reachable,
    reset_seconds,
    tier_intervals,
)
from lab.slo.catalogue import detection_seconds as detection_of
from lab.slo.model import Tier

QUICK, SLOW = load_windows("production").of("page")


@pytest.mark.parametrize(("bad_ratio", "seconds"), [(1.0, 51.84), (0.15, 345.6), (0.05, 1036.8), (0.02, 2592.0)])
def test_the_fast_burn_page_of_a_99_9_objective_fires_when_the_workbook_says(bad_ratio: float, seconds: float) -> None:
    assert detection_seconds(QUICK, 0.001, bad_ratio) == pytest.approx(seconds)


def test_a_bad_ratio_at_the_threshold_never_fires() -> None:
    assert detection_seconds(QUICK, 0.001, 0.0144) is None
    assert reset_seconds(QUICK, 0.001, 0.0144) is None
    assert first_detection([QUICK], 0.001, [(1, 0.0144)]) is None


def test_one_percent_of_errors_trips_the_slow_burn_tier_only() -> None:
    at, tier = first_detection([QUICK, SLOW], 0.001, [(1, 0.01)]) or (0.0, QUICK)
    assert at == pytest.approx(12960)
    assert tier == SLOW


def test_a_tier_that_needs_every_event_to_be_bad_is_unreachable() -> None:
    assert not reachable(QUICK, 0.1)
    assert reachable(QUICK, 0.05)


def test_the_fast_burn_page_has_spent_two_percent_of_the_budget() -> None:
    assert budget_spent_ratio(QUICK, load_windows("production")) == pytest.approx(0.02)


def test_after_ten_minutes_of_outage_the_slow_burn_tier_keeps_the_page_for_almost_half_an_hour() -> None:
    ((_, end),) = alert_intervals([QUICK, SLOW], 0.001, [(600, 1.0), (1, 0.0)])
    assert end - 600 == pytest.approx(1800 - 1800 * 0.006, abs=1)


def test_lab_detection_is_sixty_times_faster_than_production() -> None:
    slo = find_slo("feed-latency-p99")
    lab = detection_of(slo, [(10, 0.5)])
    production = detection_of(slo, [(10, 0.5)], windows=load_windows("production"))
    assert lab is not None
    assert production == pytest.approx(60 * lab)


def test_a_canary_at_half_the_traffic_pages_after_seventeen_seconds_of_lab_time() -> None:
    assert detection_of(find_slo("feed-latency-p99"), [(60, 0.5)]) == pytest.approx(17.28)
    assert detection_of(find_slo("feed-latency-p99"), [(600, 0.1)]) == pytest.approx(216)


def brute_force(tier: Tier, threshold: float, profile: list[tuple[int, float]], until: int) -> list[int]:
    """Whole seconds at which both windows' means exceed the threshold, counted second by second."""
    bad = [ratio for seconds, ratio in profile for _ in range(seconds)]
    bad += [profile[-1][1]] * (until - len(bad))
    sums = [0.0]
    for ratio in bad:
        sums.append(sums[-1] + ratio)

    def mean(at: int, window: int) -> float:
        return (sums[at] - sums[max(0, at - window)]) / window

    return [
        at for at in range(until + 1) if all(mean(at, w) > threshold for w in (tier.short_seconds, tier.long_seconds))
    ]


pieces = st.lists(st.tuples(st.integers(1, 120), st.integers(0, 20).map(lambda n: n / 20)), min_size=1, max_size=5)


@given(
    profile=pieces,
    short=st.integers(2, 30),
    more=st.integers(1, 90),
    factor=st.floats(0.5, 12),
    budget=st.floats(0.01, 0.08),
)
def test_intervals_agree_with_counting_second_by_second(
    profile: list[tuple[int, float]], short: int, more: int, factor: float, budget: float
) -> None:
    tier = Tier("page", "quick", 0.02, short, short + more, factor)
    until = sum(seconds for seconds, _ in profile) + 2 * tier.long_seconds
    counted = brute_force(tier, factor * budget, profile, until)
    intervals = tier_intervals(tier, budget, profile)
    slack = 1e-6
    for at in counted:
        assert any(start - slack <= at <= end + slack for start, end in intervals), at
    for at in set(range(until + 1)) - set(counted):
        assert not any(start + slack < at < end - slack for start, end in intervals), at


@given(bad_ratio=st.floats(0.001, 1), budget=st.floats(0.0001, 0.05))
def test_a_constant_ratio_is_the_profile_with_one_piece(bad_ratio: float, budget: float) -> None:
    at = detection_seconds(QUICK, budget, bad_ratio)
    intervals = tier_intervals(QUICK, budget, [(1, bad_ratio)])
    if at is None:
        assert intervals == []
    else:
        ((start, end),) = intervals
        assert start == pytest.approx(at)
        assert end == FOREVER
