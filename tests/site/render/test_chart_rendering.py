"""Charts without a browser: axes, labels, gaps and summaries."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lab import units
from lab.errors import LabError
from lab.site.render import svg, timeseries
from lab.site.render.timeseries import Line, Mark

SLOW = Line("Feed p99", "seconds", -3, 1, (0.02, 0.02, 0.02, 0.02, 0.5, 0.9, None, 0.5, 0.02))


@given(st.lists(st.floats(0, 100), max_size=12).map(sorted))
def test_labels_of_marks_never_overlap_and_stay_on_the_chart_while_they_fit(wanted: list[float]) -> None:
    places = timeseries.spread(wanted, 7, 2, 98)
    assert len(places) == len(wanted)
    assert all(b - a >= 7 - 1e-6 for a, b in itertools.pairwise(places))
    assert all(2 - 1e-6 <= place <= 98 + 1e-6 for place in places)


def test_labels_with_enough_space_keep_their_positions() -> None:
    assert timeseries.spread([10, 50, 90], 7, 2, 98) == [10, 50, 90]


def test_labels_of_one_instant_are_placed_side_by_side_around_it() -> None:
    assert timeseries.spread([50, 50, 50], 6, 0, 100) == [44, 50, 56]


def test_a_missing_sample_leaves_a_gap_in_the_line() -> None:
    assert [len(run) for run in timeseries.runs(SLOW.points)] == [6, 2]
    assert str(svg.chart("c", "t", "d", [SLOW])).count("<polyline") == 2


def test_the_summary_gives_the_values_before_at_worst_and_at_the_end_and_the_time_above_the_objective() -> None:
    text = timeseries.summary(SLOW, 0.4).replace("\u00a0", " ")
    assert text == "Feed p99: 20 ms before the fault, 900 ms at its worst (T+2 s), 20 ms at the end; 3 s above 400 ms."


def test_a_signal_that_never_changes_has_no_instant_at_which_it_is_highest() -> None:
    errors = Line("Server errors", "ratio", -2, 1, (0.0, 0.0, None, 0.0))
    assert timeseries.summary(errors, None).replace("\u00a0", " ") == "Server errors: 0 % throughout."


def test_a_signal_without_an_objective_has_no_worst_side() -> None:
    load = Line("Requests", "requests/s", -1, 1, (80.0, 80.0, 95.0, 81.0))
    assert "at its highest (T+1 s)" in timeseries.summary(load, None).replace("\u00a0", " ")


def test_a_unit_that_is_a_word_is_shown_once_and_axis_labels_are_drawn_over_the_lines() -> None:
    load = Line("Requests", "requests/s", -1, 1, (80.0, 80.0, 95.0, 81.0))
    drawn = str(svg.chart("c", "t", "d", [load], objective=90)).replace("\u00a0", " ")
    assert drawn.count("requests/s</text>") == 2  # at the objective and at the axis
    assert ">150 requests/s</text>" in drawn
    assert ">50</text>" in drawn
    assert drawn.index("<polyline") < drawn.index('class="objective"') < drawn.index(">50</text>")


def test_a_signal_that_should_be_high_is_at_its_worst_when_low() -> None:
    budget = Line("Budget left", "ratio", -1, 1, (0.99, 0.98, 0.4, 0.6))
    assert timeseries.extremes(budget, 0.5) == (0.99, 0.4, 0.6)


def test_a_burn_rate_that_starts_high_is_at_its_worst_when_high() -> None:
    burn = Line("burn rate", units.BURN_RATE, -2, 1, (467.0, 467.0, 0.0, 30.0, 2.0))
    assert "30x at its worst (T+1 s)" in timeseries.summary(burn, 14.4).replace("\u00a0", " ")


def test_every_other_label_of_the_time_axis_can_be_hidden_on_a_phone() -> None:
    drawn = str(svg.chart("c", "t", "d", [Line("Feed p99", "seconds", -30, 1, (0.1,) * 95)])).replace("\u00a0", " ")
    named = re.findall(r'<text class="(tick[^"]*)"[^>]*>([^<]*) s</text>', drawn)
    assert [at for kind, at in named if kind == "tick"] == ["\u221230", "0", "+30", "+60"]
    assert [at for kind, at in named if kind != "tick"] == ["\u221215", "+15", "+45"]


def test_the_summary_of_a_signal_without_samples_says_so() -> None:
    empty = Line("Feed p99", "seconds", 0, 1, (None, None))
    assert "no sample" in timeseries.summary(empty, 0.4)
    ET.fromstring(str(svg.chart("c", "t", "d", [empty], objective=0.4)))  # noqa: S314 - our own drawing
    with pytest.raises(LabError, match="Feed p99"):
        timeseries.extremes(empty, None)


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1e6)), min_size=1, max_size=40),
    st.one_of(st.none(), st.floats(0.001, 1e6)),
)
@example([5e-324], None)
def test_every_chart_is_well_formed_and_holds_every_sample(values: list[float | None], objective: float | None) -> None:
    line = Line("a <b> & c", "seconds", -5, 1, tuple(values))
    axes = svg.frame([line], objective)
    assert axes.top >= max([v for v in values if v is not None], default=0) - 1e-9
    drawn = str(
        svg.chart("c", "a <b>", "d & e", [line], objective=objective, marks=[Mark("T0", "x", 0)], bands=[(0, 3)])
    )
    root = ET.fromstring(drawn)  # noqa: S314 - our own drawing
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == "c-title c-desc"
    assert root.find("title").text == "a <b>"  # type: ignore[union-attr]


def test_a_mark_outside_the_recorded_span_is_not_drawn() -> None:
    assert 'class="mark"' not in svg.chart("c", "t", "d", [SLOW], marks=[Mark("T9", "late", 1000)])
