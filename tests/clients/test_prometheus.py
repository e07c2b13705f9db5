"""Queries to Prometheus, and the errors of invalid ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fakes import JsonServer

from lab.clients.prometheus import Prometheus
from lab.errors import NotRunning, UsageError


def vector(*values: float) -> dict[str, Any]:
    rows = [{"metric": {"n": str(i)}, "value": [0, str(value)]} for i, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": rows}}


@pytest.fixture
def server() -> Iterator[JsonServer]:
    running = JsonServer(lambda *_: (200, vector(1.5)))
    yield running
    running.close()


@pytest.fixture
def prometheus(server: JsonServer) -> Prometheus:
    return Prometheus(server.url)


def test_a_promql_error_names_the_query_and_the_parsers_reason(server: JsonServer, prometheus: Prometheus) -> None:
    server.answer = lambda *_: (400, {"status": "error", "error": "1:4: parse error: unclosed left parenthesis"})
    with pytest.raises(UsageError, match=r"sum\(.*unclosed left parenthesis"):
        prometheus.instant("sum(")


def test_a_scalar_is_one_sample(server: JsonServer, prometheus: Prometheus) -> None:
    server.answer = lambda *_: (200, {"data": {"resultType": "scalar", "result": [0, "2"]}})
    assert prometheus.number("1 + 1") == 2


@pytest.mark.parametrize("value", ["NaN", "+Inf"])
def test_nan_and_infinity_count_as_no_value(server: JsonServer, prometheus: Prometheus, value: str) -> None:
    server.answer = lambda *_: (200, vector(float(value)))
    assert prometheus.number("0/0") is None


def test_a_range_vector_is_refused_with_a_suggestion(server: JsonServer, prometheus: Prometheus) -> None:
    server.answer = lambda *_: (200, {"data": {"resultType": "matrix", "result": []}})
    with pytest.raises(UsageError, match=r"rate\(\)"):
        prometheus.instant("up[5m]")


def test_the_samples_of_a_range_are_those_that_were_recorded(server: JsonServer, prometheus: Prometheus) -> None:
    rows = [{"metric": {"job": "feed"}, "values": [[1.5, "1"], [3.5, "0.25"]]}]
    server.answer = lambda *_: (200, {"data": {"resultType": "matrix", "result": rows}})
    (found,) = prometheus.samples("up[5m]", 4)
    assert (found.labels, found.points) == ({"job": "feed"}, [(1.5, 1.0), (3.5, 0.25)])
    assert "query=up%5B5m%5D&time=4.000" in server.asked[-1][1]
    server.answer = lambda *_: (200, vector(1))
    with pytest.raises(UsageError, match=r"'up' does not select a range; write one such as up\[5m\]"):
        prometheus.samples("up", 4)


def test_exemplars_are_in_time_order_and_those_without_a_trace_are_left_out(
    server: JsonServer, prometheus: Prometheus
) -> None:
    def exemplar(at: float, **labels: str) -> dict[str, Any]:
        return {"labels": labels, "value": "0.5", "timestamp": at}

    two = [{"seriesLabels": {}, "exemplars": [exemplar(3.25, trace_id="b")]}]
    two += [{"seriesLabels": {}, "exemplars": [exemplar(1.5, trace_id="a"), exemplar(2, span_id="c")]}]
    server.answer = lambda *_: (200, {"status": "success", "data": two})
    assert prometheus.exemplars("x_bucket", 0, 4) == [(1.5, 0.5, "a"), (3.25, 0.5, "b")]
    assert "query_exemplars?query=x_bucket&start=0.000&end=4.000" in server.asked[-1][1]
    server.answer = lambda *_: (200, {"status": "success", "data": []})
    assert prometheus.exemplars("x_bucket", 0, 4) == []


def test_waiting_ends_at_the_first_result_that_is_not_empty(server: JsonServer, prometheus: Prometheus) -> None:
    answers = iter([vector(), vector(), vector(7)])
    server.answer = lambda *_: (200, next(answers))
    assert [sample.value for sample in prometheus.wait("up", 30, interval_seconds=0.01)] == [7]


def test_waiting_gives_up_at_its_deadline(server: JsonServer, prometheus: Prometheus) -> None:
    server.answer = lambda *_: (200, vector())
    assert prometheus.wait("up", 0.05, interval_seconds=0.01) == []


def test_an_unreachable_prometheus_is_a_clear_error() -> None:
    with pytest.raises(NotRunning, match="Prometheus"):
        Prometheus("http://127.0.0.1:9").instant("up")
