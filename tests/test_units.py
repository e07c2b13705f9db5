"""Numbers as text, with units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import units


def plain(text: str) -> str:
    return text.replace(units.NBSP, " ")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"), (0.0002, "0 s"), (0.0412, "41 ms"), (0.5, "0.5 s"), (17.44, "17.4 s"), (60, "60 s"),
        (216, "3 min 36 s"), (2592, "43 min 12 s"), (25920, "7 h 12 min"), (129600, "36 h"), (2592000, "30 d"),
        (-2, "\u22122 s"),
    ],
)  # fmt: skip
def test_a_duration_has_at_most_two_units_and_no_trailing_zeros(value: float, text: str) -> None:
    assert plain(units.seconds(value)) == text


@pytest.mark.parametrize(("value", "text"), [(-0.4, "0 s"), (0, "0 s"), (-39.9, "\u221240 s"), (5.2, "+5 s")])
def test_an_offset_has_a_sign_unless_it_is_zero(value: float, text: str) -> None:
    assert plain(units.offset(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9, "9.0 s"),
        (-3, "\u22123.0 s"),
        (22.71, "22.7 s"),
        (0.04, "40 ms"),
        (0, "0 s"),
        (119.96, "120 s"),
        (216, "3 min 36 s"),
    ],
)
def test_a_measured_duration_has_tenths(value: float, text: str) -> None:
    assert plain(units.tenths(value)) == text


@pytest.mark.parametrize(("value", "text"), [(512, "512 B"), (3015, "3.0 kB"), (17_882_437, "17.9 MB")])
def test_a_size_is_scaled_for_reading(value: float, text: str) -> None:
    assert plain(units.size(value)) == text


@given(st.floats(min_value=0, max_value=1e7))
def test_no_duration_shows_sixty_of_a_unit(value: float) -> None:
    text = plain(units.seconds(value))
    assert " 60 s" not in f" {text}" or value < 120
    assert " 60 min" not in f" {text}"


@pytest.mark.parametrize(
    ("ratio", "text"), [(0.9995, "99.95 %"), (0.05, "5 %"), (1, "100 %"), (0, "0 %"), (0.001, "0.1 %")]
)
def test_a_ratio_is_shown_as_a_percentage_without_trailing_zeros(ratio: float, text: str) -> None:
    assert plain(units.percent(ratio)) == text


def test_a_quantity_is_shown_in_its_unit_and_an_absent_one_as_a_dash() -> None:
    assert plain(units.quantity(0.4, "seconds")) == "400 ms"
    assert plain(units.quantity(14.4, units.BURN_RATE)) == "14.4x"
    assert plain(units.quantity(82.0, "requests/s")) == "82 requests/s"
    assert units.quantity(None, "seconds") == units.ABSENT


def test_clock_and_day_are_utc_whatever_the_time_zone_of_the_stamp() -> None:
    assert units.clock("2026-03-01T01:30:00.250+02:00") == "23:30:00.2"
    assert units.day("2026-03-01T01:30:00+02:00") == "2026-02-28"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.003, "0\u20135 ms"), (0.02, "10\u201325 ms"), (0.4, "300\u2013400 ms"), (0.996, "800 ms\u20131.00 s"),
        (2.2, "1.50\u20132.50 s"), (5.0, "2.50\u20135.00 s"), (7.0, "over 5.00 s"),
    ],
)  # fmt: skip
def test_a_quantile_is_shown_as_its_bucket(value: float, shown: str) -> None:
    """A histogram knows a quantile to one bucket only: 0.996 s was 0.6 + 0.99 x 0.4 at every sample."""
    assert units.quantity(value, units.QUANTILE).replace(units.NBSP, " ") == shown


def test_the_axis_of_a_quantile_is_labelled_in_seconds() -> None:
    assert units.quantity(0.4, units.exact(units.QUANTILE)).replace(units.NBSP, " ") == "400 ms"
