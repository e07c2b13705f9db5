"""Charts of recorded signals."""

from __future__ import annotations

import re

import pytest
from support import text

from lab import units
from lab.errors import LabError
from lab.site.sources.context import SiteContext
from lab.site.views import (
    charts,
)


def test_a_chart_has_its_summary_data_query_and_factor(context: SiteContext) -> None:
    shown = str(charts.chart(context, "INC-001", "feed_p99_seconds"))
    assert "objective 400" in text(shown)
    assert "Lab time, 60x" in text(shown)
    assert "Data table" in shown
    assert "histogram_quantile" in text(shown)
    assert 'role="img"' in shown


def test_an_unknown_signal_is_refused_with_the_known_ones(context: SiteContext) -> None:
    with pytest.raises(LabError, match=r"'feed_p98'.*feed_p99_seconds"):
        charts.chart(context, "INC-001", "feed_p98")


@pytest.mark.parametrize("title", ["Load: it does not relent", "Burn rate; it fires here"])
def test_the_title_of_a_chart_names_a_quantity_or_asks_and_states_no_result(context: SiteContext, title: str) -> None:
    with pytest.raises(LabError, match="states a result"):
        charts.chart(context, "INC-001", "feed_p99_seconds", title=title)
    assert "figure" in charts.chart(context, "INC-001", "feed_p99_seconds", title="Load: does it relent?")


def test_the_times_of_a_data_table_have_the_minus_sign_of_the_axis(context: SiteContext) -> None:
    data = text(charts.chart(context, "INC-001", "feed_p99_seconds"))
    assert "\u22121 s" in data and "+1 s" in data
    assert not re.search(r"(?<![\w.])[-+]0 s|-\d+ s", data)


def test_a_chart_marks_each_action_with_what_it_was() -> None:
    record = SiteContext().records.read("INC-010")
    marks = [*record.marks(), *record.changes()]
    actions = {round((units.parse(row.at) - record.t0).total_seconds(), 2) for row in record.data.actions}
    assert actions <= {round(mark.at_seconds, 2) for mark in marks}
    assert [mark.label for mark in record.changes()] == [f"C{number}" for number in range(1, len(actions))]
    mitigated = next(mark for mark in marks if mark.label == "T6")
    shown = str(charts.chart(SiteContext(), "INC-010", record.data.signals[0].name))
    for mark in (mitigated, *record.changes()):
        assert f"<title>{mark.label} {mark.title}</title>" in shown
        assert f"<b>{mark.label}</b> {mark.title}" in shown
    assert mitigated.title.startswith("Mitigated: ")
    assert shown.count('class="mark mark--change"') == len(record.changes()) > 0
