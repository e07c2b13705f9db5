"""The console's charts: objectives from the SLO specs, and queries of series that the lab has."""

from __future__ import annotations

from lab.console.charts import charts
from lab.paths import RULES
from lab.site.sources import query_check
from lab.site.sources.context import SiteContext
from lab.slo.catalogue import Catalogue
from lab.slo.query.tree import parse


def test_the_latency_of_each_service_is_charted_with_the_threshold_of_its_spec() -> None:
    objectives = {chart.name: chart.objective for chart in charts(Catalogue(RULES).slos)}
    assert objectives == {"feed-latency-p99": 0.4, "user-latency-p99": 0.3, "versions": None, "load": None}


def test_every_query_parses_and_asks_for_series_that_a_process_registers() -> None:
    context = SiteContext()
    for chart in charts(Catalogue(RULES).slos):
        for name, query in chart.queries:
            parse(query)
            query_check.require(context, f"{chart.name}, {name}", query)
        if chart.exemplars:
            query_check.require(context, f"{chart.name}, exemplars", chart.exemplars)
