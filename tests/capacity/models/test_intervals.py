"""Quantiles, least squares and the intervals that follow from them are exact."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.capacity.models.estimate import Estimate, around
from lab.capacity.models.fieller import fieller
from lab.capacity.models.least_squares import dot, fit, inverse, non_negative
from lab.capacity.models.student import two_sided_quantile, within


# From the tables of Fisher and Yates; infinite degrees of freedom are the normal distribution.
@pytest.mark.parametrize(
    ("confidence", "degrees", "t"),
    [(0.95, 1, 12.7062), (0.95, 2, 4.3027), (0.95, 5, 2.5706), (0.95, 12, 2.1788), (0.9, 99, 1.6604)],
)  # fmt: skip
def test_quantiles_of_t_are_those_of_the_tables(confidence: float, degrees: int, t: float) -> None:
    assert two_sided_quantile(confidence, degrees) == pytest.approx(t, abs=1e-4)


@given(st.floats(0.01, 0.999), st.integers(1, 60))
def test_a_quantile_of_t_has_the_confidence_that_it_is_asked_for(confidence: float, degrees: int) -> None:
    assert within(two_sided_quantile(confidence, degrees), degrees) == pytest.approx(confidence, abs=1e-9)


@pytest.mark.parametrize(("confidence", "degrees"), [(0.0, 5), (1.0, 5), (0.95, 0)])
def test_impossible_quantiles_are_refused(confidence: float, degrees: int) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        two_sided_quantile(confidence, degrees)


def test_an_estimate_lies_within_its_interval() -> None:
    assert around(3.0, 4.0, 5.0) == Estimate(3.0, 3.0, 5.0)
    assert Estimate(1.0, 0.0, 2.0).contains(0.0)
    assert not Estimate(1.0, 0.5, math.inf).is_bounded
    with pytest.raises(ValueError, match="not between"):
        Estimate(3.0, 0.0, 2.0)


rows_3 = st.lists(st.tuples(*[st.floats(0.1, 10)] * 3), min_size=6, max_size=12)


@settings(max_examples=40)
@given(rows_3, st.lists(st.floats(-5, 5), min_size=12, max_size=12), st.integers(0, 2**32))
def test_no_other_non_negative_coefficients_fit_better(
    rows: list[tuple[float, ...]], values: list[float], seed: int
) -> None:
    targets = tuple(values[: len(rows)])

    def squares(coefficients: tuple[float, ...]) -> float:
        return sum((target - dot(row, coefficients)) ** 2 for row, target in zip(rows, targets, strict=True))

    try:
        best = non_negative(rows, targets)
    except ValueError:
        return  # columns that depend on each other
    assert min(best) >= 0
    draw = random.Random(seed)
    for _ in range(20):
        other = tuple(max(0.0, value + draw.gauss(0, 10 ** draw.uniform(-4, 0))) for value in best)
        assert squares(best) <= squares(other) * (1 + 1e-7) + 1e-9


def test_a_matrix_times_its_inverse_is_the_identity_and_a_singular_one_is_refused() -> None:
    matrix = ((4.0, 1.0, 2000.0), (1.0, 3.0, 500.0), (2000.0, 500.0, 5e6))
    columns = list(zip(*inverse(matrix), strict=True))
    for i, row in enumerate(matrix):
        assert [dot(row, column) for column in columns] == pytest.approx([float(i == j) for j in range(3)], abs=1e-9)
    for singular in (((1.0, 2.0), (2.0, 4.0)), ((0.0, 0.0), (0.0, 1.0))):
        with pytest.raises(ValueError, match="singular"):
            inverse(singular)


def test_intervals_of_a_straight_line_are_those_of_the_textbook() -> None:
    """Five points by hand: slope 0.7, squares about the mean 10, residual squares 1.9 with 3 degrees of freedom."""
    line = fit([(1.0, x) for x in (-2.0, -1.0, 0.0, 1.0, 2.0)], (1.0, 2.0, 1.0, 3.0, 4.0))
    assert line.coefficients == pytest.approx((2.2, 0.7))
    assert line.noise**2 == pytest.approx(1.9 / 3)
    spread = 3.1824 * math.sqrt(1.9 / 3 / 10)
    assert line.of((0.0, 1.0), 0.95) == pytest.approx((0.7 - spread, 0.7 + spread), abs=1e-4)
    with pytest.raises(ValueError, match="no degree of freedom"):
        fit([(1.0, 2.0), (1.0, 3.0)], (1.0, 2.0))


def test_the_interval_of_a_ratio_is_that_of_a_number_if_its_denominator_is_certain() -> None:
    assert fieller(6.0, 2.0, 4.0, 0.0, 0.0) == pytest.approx((2.0, 4.0))


def test_the_interval_of_a_ratio_is_open_where_its_denominator_may_be_0() -> None:
    low, high = fieller(6.0, 2.0, 4.0, 0.0, 9.0)
    assert (6 - low * 2) ** 2 == pytest.approx(4 + 9 * low * low)  # on the edge of the t test
    assert 0 < low < 3
    assert high == math.inf
    assert fieller(-6.0, 2.0, 4.0, 0.0, 9.0) == (-math.inf, -low)
    assert fieller(1.0, 2.0, 4.0, 0.0, 9.0) == (-math.inf, math.inf)


@pytest.mark.parametrize("under", [1.0, 4.0])
def test_the_interval_of_a_ratio_holds_its_confidence(under: float) -> None:
    """Also for a denominator that is only one standard deviation above 0."""
    draw, t, held = random.Random(1), 1.96, 0
    for _ in range(2000):
        u, v = draw.gauss(2.0, 1), draw.gauss(under, 1)
        low, high = fieller(u, v, t * t, 0.0, t * t)
        held += low <= 2.0 / under <= high
    assert 0.94 <= held / 2000 <= (0.96 if under > 2 else 1)
