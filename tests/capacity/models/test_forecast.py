"""Weeks until growing traffic reaches a capacity."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.capacity.models.estimate import Estimate
from lab.capacity.models.forecast import weeks_left, weeks_until
from lab.errors import UsageError


@given(st.floats(1, 1000), st.floats(0.001, 1), st.floats(1.01, 100))
def test_after_these_weeks_the_peak_is_the_capacity(peak: float, growth: float, times: float) -> None:
    weeks = weeks_until(peak, growth, peak * times)
    assert peak * (1 + growth) ** weeks == pytest.approx(peak * times, rel=1e-6)


def test_traffic_that_doubles_every_week_reaches_eight_times_as_much_in_three() -> None:
    assert weeks_until(50, 1.0, 400) == pytest.approx(3)


@pytest.mark.parametrize("growth", [-0.5, 0.0, 0.1])
def test_a_peak_above_the_capacity_has_no_weeks_left(growth: float) -> None:
    assert weeks_until(200, growth, 150) == weeks_until(150, growth, 150) == 0.0


@pytest.mark.parametrize("growth", [-0.5, 0.0])
def test_without_growth_the_capacity_is_never_reached(growth: float) -> None:
    assert weeks_until(100, growth, 150) == math.inf


def test_the_ends_of_the_capacity_give_the_ends_of_the_forecast() -> None:
    weeks = weeks_left(100, 0.1, Estimate(150, 90, 200))
    assert weeks.low == 0.0
    assert weeks.value == pytest.approx(4.25, abs=0.01)
    assert weeks.high == pytest.approx(weeks_until(100, 0.1, 200))
    assert weeks_left(100, 0.1, Estimate(150, 120, math.inf)).high == math.inf


@pytest.mark.parametrize(("peak", "growth", "capacity"), [(0, 0.1, 5), (5, -1, 9), (5, math.nan, 9), (5, 0.1, -1)])
def test_impossible_forecasts_are_refused(peak: float, growth: float, capacity: float) -> None:
    with pytest.raises(UsageError, match="not possible"):
        weeks_until(peak, growth, capacity)
