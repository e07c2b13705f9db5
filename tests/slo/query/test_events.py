"""An SLO's queries, read as a test of single requests: the same events as the queries count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.errors import UsageError
from lab.slo.catalogue import find_slo, load_specs
from lab.slo.events import RequestEvents, request_events
from lab.slo.model import EventsSli, RawSli
from lab.slo.query.tree import Matcher

JOB, ROUTE = Matcher("job", "=", "gateway"), Matcher("http_route", "=", "/v1/feed/{user_id}")
HISTOGRAM = "http_server_request_duration_seconds"


def test_availability_counts_every_request_and_its_server_errors() -> None:
    status = Matcher("http_response_status_code", "=~", "5..")
    assert request_events(find_slo("feed-availability")) == RequestEvents(
        HISTOGRAM, (JOB, ROUTE), (JOB, ROUTE, status), None
    )


def test_latency_counts_successes_and_those_above_the_threshold() -> None:
    successes = (JOB, ROUTE, Matcher("http_response_status_code", "=~", "2.."))
    assert request_events(find_slo("feed-latency-p99")) == RequestEvents(HISTOGRAM, successes, successes, 0.4)


@pytest.mark.parametrize("slo", [slo.sloth_id for slo in load_specs()])
def test_every_slo_of_the_lab_can_be_compared(slo: str) -> None:
    assert request_events(find_slo(slo)).histogram == HISTOGRAM


TOTAL = 'sum(rate(h_count{a="b"}[{{.window}}]))'
FAST = 'sum(rate(h_bucket{a="b",le="1"}[{{.window}}]))'


@pytest.mark.parametrize(
    ("error", "total", "why"),
    [
        ("sum(rate(errors_total[{{.window}}]))", TOTAL, "sum(rate(HISTOGRAM_count"),
        (TOTAL, "sum(increase(h_count[{{.window}}]))", "sum(rate(HISTOGRAM_count"),
        (TOTAL, "sum by (x) (rate(h_count[{{.window}}]))", "its queries use by"),
        (TOTAL, "sum(rate(h_count[{{.window}}] offset 5m))", "its queries use offset"),
        ("sum(rate(other_count[{{.window}}]))", TOTAL, "its queries count h and other"),
        (f"{TOTAL} - {FAST.replace('le', 'lx')}", TOTAL, "does not subtract one bucket"),
        (f"{TOTAL} - {FAST.replace('h_bucket', 'i_bucket')}", TOTAL, "does not subtract one bucket"),
        (f"{TOTAL} - {FAST.replace('a=', 'c=')}", TOTAL, "does not subtract one bucket"),
        (f"{TOTAL} + {FAST}", TOTAL, "sum(rate(HISTOGRAM_count"),
    ],
)
def test_queries_of_another_form_are_refused_with_the_slo(error: str, total: str, why: str) -> None:
    slo = replace(find_slo("feed-availability"), sli=EventsSli(error, total))
    with pytest.raises(UsageError, match="feed-availability cannot be compared") as refusal:
        request_events(slo)
    assert why in str(refusal.value)


def test_a_raw_ratio_is_refused() -> None:
    slo = replace(find_slo("feed-availability"), sli=RawSli("x[{{.window}}]"))
    with pytest.raises(UsageError, match="it is a raw ratio"):
        request_events(slo)
