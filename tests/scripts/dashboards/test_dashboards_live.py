"""On a running lab, every panel of the Grafana dashboards has data."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import dashboards
import pytest
from embedded import EmbeddedLab
from polling import eventually

from lab import measured_capacity, names
from lab.clients.prometheus import Prometheus

# func_only: the first test of a lab also waits for its start, which has its own deadline.
pytestmark = [pytest.mark.stack, pytest.mark.timeout(300, func_only=True)]
T = TypeVar("T")
SECONDS = 180  # some recorded series need minutes of history


def label_values(prometheus: Prometheus, selector: str, label: str) -> list[str]:
    """What Grafana offers for a variable."""
    return sorted({sample.labels[label] for sample in prometheus.instant(selector) if label in sample.labels})


def has_data(query: dashboards.PanelQuery) -> bool:
    """Whether the lab can have series for a query: without a recorded sweep, there is no measured capacity."""
    measured = (names.CAPACITY_MEASURED, "feed:replica_loss_capacity:requests_per_second")
    return measured_capacity.FILE.exists() or not any(series in query.expr for series in measured)


QUERIES = [query for query in dashboards.every_query() if has_data(query)]


def unanswered(asked: set[T], answered: Callable[[T], bool]) -> set[T]:
    """Those that have no answer within SECONDS. Each is asked until it has one."""
    waiting = set(asked)

    def all_answered() -> bool:
        waiting.difference_update([item for item in waiting if answered(item)])
        return not waiting

    eventually(all_answered, SECONDS)
    return waiting


def test_every_query_of_every_panel_returns_series(lab: EmbeddedLab) -> None:
    """For every choice that the variables offer. The lab is healthy, so panels of failures must show their absence."""
    prometheus = Prometheus.of(lab.home, lab.ports)
    offered = {
        name: label_values(prometheus, *choice)
        for file in dashboards.FILES
        for name, choice in dashboards.choices(file).items()
    }
    assert set(offered["service"]) == {"gateway", "user", "feed"}
    assert len(offered["slo"]) == 6
    asked = {(query.place, text) for query in QUERIES for text in dashboards.promql(query.expr, offered)}
    assert len(asked) > 120
    assert unanswered(asked, lambda item: bool(prometheus.instant(item[1]))) == set()


def test_charts_get_a_line_over_time(lab: EmbeddedLab) -> None:
    """A range query at Grafana's step, as a chart asks for it, returns more than one point for some series."""
    prometheus = Prometheus.of(lab.home, lab.ports)
    asked = {text for query in QUERIES for text in dashboards.promql(query.expr, dashboards.EXAMPLES)}

    def has_a_line(expr: str) -> bool:
        end = time.time()
        return any(len(series.points) > 1 for series in prometheus.range(expr, end - 120, end, 5))

    assert unanswered(asked, has_a_line) == set()


def test_the_replicas_that_a_canary_is_compared_with_have_figures(lab: EmbeddedLab) -> None:
    """Their queries show a gap for a version without requests, so a wrong selector would be a gap for ever."""
    prometheus = Prometheus.of(lab.home, lab.ports)
    asked = {
        text
        for query in QUERIES
        if query.dashboard == "fleetops-rollout" and names.OF_STABLE in query.expr
        for text in dashboards.promql(query.expr, {})
    }
    assert len(asked) == 4

    def is_finite(expr: str) -> bool:
        value = prometheus.number(expr)  # None for NaN
        return value is not None and (value > 0 or "5.." in expr)

    assert unanswered(asked, is_finite) == set()


def test_latency_panels_have_exemplars_with_a_trace_id(lab: EmbeddedLab) -> None:
    """The lab of these tests records spans; the usual one does with FLEETOPS_TRACE_SLOW_SECONDS."""
    prometheus = Prometheus.of(lab.home, lab.ports)
    exprs = {
        text
        for query in QUERIES
        if query.exemplar and query.dashboard == "fleetops-service-red"
        for text in dashboards.promql(query.expr, dashboards.EXAMPLES)
    }
    assert exprs

    def found() -> bool:
        end = time.time()
        return any(prometheus.exemplars(expr, end - 600, end) for expr in exprs)

    assert eventually(found, SECONDS)
