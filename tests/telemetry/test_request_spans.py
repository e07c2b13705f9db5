"""Spans of a request: what is recorded, how long it is kept, and which observations get an exemplar."""

from __future__ import annotations

import json
from dataclasses import replace
from time import perf_counter, time

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lab import names
from lab.telemetry import spans, trace
from lab.telemetry.http import QUEUE_WAIT, RECEIVED_AT, log_field
from lab.telemetry.process import Telemetry
from lab.telemetry.settings import Settings
from lab.telemetry.spans import Ring, Span
from lab.telemetry.web import new_app

TRACE_ID = 0x4BF92F3577B34DA6A3CE929D0E0E4736
PARENT = f"00-{TRACE_ID:032x}-00f067aa0ba902b7"


def some(count: int) -> list[Span]:
    return [Span("one", spans.INTERNAL, f"{number:016x}", "", 0.0, 0.0) for number in range(count)]


def test_a_ring_keeps_a_bounded_number_of_spans_and_drops_whole_traces_oldest_first() -> None:
    ring = Ring(0.2)
    for trace_id in range(1, 101):
        ring.add(trace_id, some(100))
    kept = ring.spans(range(1, 101))
    assert sum(len(found) for found in kept.values()) == spans.MAX_KEPT_SPANS
    assert min(kept) == 101 - spans.MAX_KEPT_SPANS // 100
    assert all(len(found) == 100 for found in kept.values())


def test_a_ring_forgets_traces_after_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(spans, "perf_counter", lambda: now[0])
    ring = Ring(0.2)
    ring.add(1, some(1))
    now[0] += spans.KEEP_SECONDS + 1
    ring.add(2, some(1))
    assert set(ring.spans([1, 2])) == {2}


def test_a_trace_that_passes_through_a_process_twice_has_the_spans_of_both_requests() -> None:
    ring = Ring(0.2)
    ring.add(1, some(2))
    ring.add(2, some(1))
    ring.add(1, some(3))
    assert len(ring.spans([1])[1]) == 5


@pytest.fixture
def traced(settings: Settings) -> Telemetry:
    return Telemetry(replace(settings, trace_slow_seconds=0.2))


def app_of(telemetry: Telemetry) -> Flask:
    app = new_app("probe")
    telemetry.init_app(app)

    @app.get("/v1/things/<int:thing_id>")
    def thing(thing_id: int) -> str:
        log_field("cache", "hit")
        started = perf_counter()
        for _ in range(thing_id):
            spans.record("thing.select", started, spans.CLIENT, {names.ATTRIBUTE_DB_SYSTEM: "postgresql"})
        spans.event("retry", {"fleetops.cause": "timeout"})
        if thing_id == 13:
            raise RuntimeError
        return json.dumps({"exemplar": spans.exemplar(0.1), "slow": spans.exemplar(0.3)})

    return app


def client_of(telemetry: Telemetry) -> FlaskClient:
    return app_of(telemetry).test_client()


def kept(telemetry: Telemetry) -> list[Span]:
    assert telemetry.ring is not None
    return telemetry.ring.spans([TRACE_ID])[TRACE_ID]


def test_a_request_is_a_server_span_with_its_operations_below_it(traced: Telemetry) -> None:
    before = time()
    received = perf_counter() - 0.05
    answer = client_of(traced).get(
        "/v1/things/2", headers={"traceparent": f"{PARENT}-00"}, environ_overrides={RECEIVED_AT: received}
    )
    assert answer.status_code == 200
    server, queue, first, second = kept(traced)
    assert (server.name, server.kind, server.parent_id) == (
        "GET /v1/things/{thing_id}",
        spans.SERVER,
        "00f067aa0ba902b7",
    )
    assert server.attributes[names.ATTRIBUTE_STATUS] == 200
    assert server.attributes["fleetops.cache"] == "hit"
    assert server.start == pytest.approx(before - 0.05, abs=0.05)
    assert server.seconds >= 0.05
    assert [event.name for event in server.events] == ["retry"]
    assert queue.name == QUEUE_WAIT
    assert queue.seconds >= 0.05
    assert first.name == second.name == "thing.select"
    assert {one.parent_id for one in (queue, first, second)} == {server.span_id}
    assert len({one.span_id for one in (server, queue, first, second)}) == 4


def test_a_failed_request_has_its_status_as_error(traced: Telemetry) -> None:
    client_of(traced).get("/v1/things/13", headers={"traceparent": f"{PARENT}-00"})
    assert kept(traced)[0].error == "500"


def test_the_spans_of_a_request_are_bounded_and_those_left_out_are_counted(traced: Telemetry) -> None:
    client_of(traced).get("/v1/things/250", headers={"traceparent": f"{PARENT}-00"})
    server, *others = kept(traced)
    assert len(others) == spans.MAX_REQUEST_SPANS
    assert server.attributes[spans.DROPPED] == 50


@pytest.mark.parametrize(("flags", "has_exemplar"), [("00", False), ("01", True)])
def test_a_fast_observation_has_an_exemplar_only_if_the_trace_is_sampled(
    traced: Telemetry, flags: str, has_exemplar: bool
) -> None:
    answer = client_of(traced).get("/v1/things/1", headers={"traceparent": f"{PARENT}-{flags}"}).get_json(force=True)
    assert answer["slow"] == {"trace_id": f"{TRACE_ID:032x}"}
    assert (answer["exemplar"] is not None) is has_exemplar


def test_without_tracing_nothing_is_recorded_and_every_observation_has_an_exemplar(settings: Settings) -> None:
    telemetry = Telemetry(settings)
    answer = client_of(telemetry).get("/v1/things/1", headers={"traceparent": f"{PARENT}-00"}).get_json(force=True)
    assert telemetry.ring is None
    assert answer["exemplar"] == {"trace_id": f"{TRACE_ID:032x}"}


def test_the_edge_samples_one_request_a_second_whatever_its_client_asks(settings: Settings) -> None:
    telemetry = Telemetry(replace(settings, trace_slow_seconds=30.0), edge=True)
    client = client_of(telemetry)
    for number in range(20):
        client.get("/v1/things/1", headers={"traceparent": f"00-{number + 1:032x}-00f067aa0ba902b7-01"})
    assert telemetry.sampler is not None
    assert telemetry.sampler.chosen(0) == (1, [(1, "baseline")])


def test_nothing_is_recorded_outside_a_request() -> None:
    spans.record("one", perf_counter())
    spans.event("two")
    assert spans.current() is None
    assert trace.traceparent(1) == ""
