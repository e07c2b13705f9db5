"""The spans of the services: admission, calls with their retries, the cache, the pool, every statement."""

from __future__ import annotations

import pytest
from feed_support import Feed, MakeFeed
from gateway_support import KNOWN, Gateway, a_gateway

from lab import names
from lab.services.db import POOL_WAIT
from lab.services.feed.canary import CanaryPages
from lab.services.feed.stable import StablePages
from lab.telemetry.process import Telemetry
from lab.telemetry.spans import CLIENT, Span

gateway = a_gateway
TRACE_ID = 0x4BF92F3577B34DA6A3CE929D0E0E4736
TRACEPARENT = {"traceparent": f"00-{TRACE_ID:032x}-00f067aa0ba902b7-01"}
SELECTS = ["post.select", "user.select", "follow.exists"]


def recorded(telemetry: Telemetry) -> tuple[Span, list[Span]]:
    """The server span of the test's request, and the spans below it."""
    assert telemetry.ring is not None
    server, *below = telemetry.ring.spans([TRACE_ID])[TRACE_ID]
    return server, below


def names_of(feed: Feed, user_id: int) -> list[str]:
    assert feed.get(user_id, **TRACEPARENT).status_code == 200
    assert feed.telemetry.ring is not None
    return [span.name for span in recorded(feed.telemetry)[1]]


def test_a_miss_of_the_stable_version_asks_the_user_service_and_needs_two_statements(make_feed: MakeFeed) -> None:
    feed = make_feed(StablePages)
    found = names_of(feed, 4711)
    assert found == ["cache get", "GET user", POOL_WAIT, "feed.rank", "feed.hydrate", "cache put"]
    server, below = recorded(feed.telemetry)
    assert below[0].attributes[names.ATTRIBUTE_RESULT] == "miss"
    assert below[4].attributes[names.ATTRIBUTE_DB_SYSTEM] == "postgresql"
    query = str(below[4].attributes[names.ATTRIBUTE_DB_QUERY])
    assert query.startswith("SELECT posts.id")
    assert "4711" not in query
    assert "\n" not in query
    assert all(
        span.start >= server.start and span.start + span.seconds <= server.start + server.seconds + 1e-3
        for span in below
    )


def test_the_canary_has_three_statements_for_each_post(make_feed: MakeFeed) -> None:
    found = names_of(make_feed(CanaryPages), 4712)
    assert found[-48:] == SELECTS * 16


def test_a_statement_that_fails_is_a_span_with_its_error(make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.services.feed.stable._HYDRATE", "SELECT 1 / (0 * %s::int[1])[1], %s")
    feed = make_feed(StablePages)
    assert feed.get(4713, **TRACEPARENT).status_code == 500
    server, below = recorded(feed.telemetry)
    assert server.error == "500"
    assert (below[-1].name, below[-1].error != "") == ("feed.hydrate", True)


def test_the_gateway_records_admission_and_the_call_whose_span_the_upstream_continues(gateway: Gateway) -> None:
    assert gateway.client.get("/v1/users/7", headers={**KNOWN, **TRACEPARENT}).status_code == 200
    server, (admission, call) = recorded(gateway.telemetry)
    assert (admission.name, call.name, call.kind) == ("admission", "GET user", CLIENT)
    assert server.parent_id == "00f067aa0ba902b7"
    assert call.attributes[names.ATTRIBUTE_UPSTREAM] == "user"
    assert call.attributes[names.ATTRIBUTE_STATUS] == 200
    traceparent = {key.lower(): value for key, value in gateway.user.seen[-1][3].items()}["traceparent"]
    assert traceparent == f"00-{TRACE_ID:032x}-{call.span_id}-01"


def test_a_refused_request_has_the_refusal_on_its_admission(gateway: Gateway) -> None:
    gateway.control("flags/feed", {"enabled": False})
    assert gateway.client.get("/v1/feed/7", headers={**KNOWN, **TRACEPARENT}).status_code == 503
    _, (admission,) = recorded(gateway.telemetry)
    assert (admission.name, admission.error) == ("admission", "503")
    assert gateway.telemetry.sampler is not None
    assert gateway.telemetry.sampler.chosen(0)[1] == [(TRACE_ID, "failed")]


def test_a_retry_is_an_event_and_each_attempt_a_span_of_its_own(gateway: Gateway) -> None:
    answers = iter([("{}", 503), ("{}", 200)])
    gateway.user.answer = lambda: next(answers)
    gateway.control("retry", {"max_retries": 1, "on": ["unavailable"]})
    assert gateway.client.get("/v1/users/7", headers={**KNOWN, **TRACEPARENT}).status_code == 200
    server, (_, first, second) = recorded(gateway.telemetry)
    assert [event.name for event in server.events] == ["retry"]
    assert (first.error, second.error) == ("503", "")
    assert first.span_id != second.span_id
    assert gateway.telemetry.sampler is not None
    assert gateway.telemetry.sampler.chosen(0)[1] == [(TRACE_ID, "retried")]


def test_a_call_that_is_refused_by_the_breaker_is_an_event(gateway: Gateway) -> None:
    gateway.control("breakers", {"user": "open"})
    assert gateway.client.get("/v1/users/7", headers={**KNOWN, **TRACEPARENT}).status_code == 503
    server, (admission,) = recorded(gateway.telemetry)
    assert [event.name for event in server.events] == ["refused by the circuit breaker"]
    assert admission.error == ""
