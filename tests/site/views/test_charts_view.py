"""Charts of recorded signals."""

from __future__ import annotations

import re

import pytest
from support import text

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
