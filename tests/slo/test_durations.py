"""Durations are parsed and formatted as in Prometheus, because windows name recorded series."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.slo.catalogue import load_specs
from lab.slo.durations import format_duration, parse_duration
from lab.slo.generate import render_slos
from lab.slo.model import Tier, Windows

DAY = 86_400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1s"), (90, "1m30s"), (300, "5m"), (5400, "1h30m"), (4320, "1h12m"), (DAY, "1d"), (36 * 3600, "1d12h"),
        (7 * DAY, "1w"), (8 * DAY, "8d"), (14 * DAY, "2w"), (28 * DAY, "4w"), (30 * DAY, "30d"), (90 * DAY, "90d"),
        (365 * DAY, "1y"), (366 * DAY, "366d"), (372 * DAY, "372d"), (7 * DAY + 3600, "7d1h"), (3601, "1h1s"),
    ],
)  # fmt: skip
def test_a_duration_is_written_as_prometheus_writes_it(seconds: int, text: str) -> None:
    """Years and weeks only without a remainder, everything else in full."""
    assert format_duration(seconds) == text
    assert parse_duration(text) == seconds


@given(seconds=st.integers(1, 100 * 365 * DAY))
def test_a_formatted_duration_parses_to_the_same_seconds(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


def test_series_are_named_as_sloth_names_them_under_windows_of_weeks_and_of_odd_lengths() -> None:
    lengths = ((300, 3600), (1800, 6 * 3600), (5400, 36 * 3600), (6 * 3600, 3 * DAY))
    severities = (("page", "quick"), ("page", "slow"), ("ticket", "quick"), ("ticket", "slow"))
    tiers = tuple(
        Tier(severity, speed, 0.1, short, long, 2.0)
        for (severity, speed), (short, long) in zip(severities, lengths, strict=True)
    )
    text = render_slos(load_specs()[:1], Windows("weeks", 28 * DAY, 15, 1, tiers), "spec.yml")
    recorded = set(re.findall(r"record: slo:sli_error:ratio_rate(\w+)", text))
    assert recorded == {"5m", "30m", "1h", "1h30m", "6h", "1d12h", "3d", "4w"}
