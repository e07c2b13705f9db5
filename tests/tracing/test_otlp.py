"""The export is OTLP JSON, as the library generated from the protocol's definition reads it."""

from __future__ import annotations

import json
from typing import Any

from made_trace import AT, FEED, call, normal, slow, span
from opentelemetry.proto_json.collector.trace.v1.trace_service import ExportTraceServiceRequest

from lab.telemetry.span_routes import Process
from lab.telemetry.spans import SERVER, Event
from lab.tracing import otlp
from lab.tracing.documents import Trace


def read_back(*traces: Trace) -> dict[str, Any]:
    """The export after a receiver has read it; it has lost what the receiver does not know."""
    text = json.dumps(otlp.request(traces))
    read: dict[str, Any] = ExportTraceServiceRequest.from_json(text).to_dict()
    assert read == json.loads(text)
    return read


def spans_by_instance(read: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for one in read["resourceSpans"]:
        attributes = {row["key"]: row["value"]["stringValue"] for row in one["resource"]["attributes"]}
        assert set(attributes) == {"service.name", "service.instance.id", "service.version"}
        found[attributes["service.instance.id"]] = one["scopeSpans"][0]["spans"]
    return found


def test_an_export_is_read_as_it_was_recorded() -> None:
    found = spans_by_instance(read_back(normal(), slow()))
    assert {name: len(spans) for name, spans in found.items()} == {"gateway": 4, "feed-1": 2, "feed-canary-1": 50}
    server = found["gateway"][0]
    assert (server["name"], server["kind"]) == (FEED, 2)
    assert (server["traceId"], server["spanId"], server["parentSpanId"]) == ("a" * 32, f"{1:016x}", f"{99:016x}")
    assert server["startTimeUnixNano"] == str(int(AT * 1e9))
    assert int(server["endTimeUnixNano"]) - int(server["startTimeUnixNano"]) == 20_000_000
    assert {"key": "http.response.status_code", "value": {"intValue": "200"}} in server["attributes"]


def test_errors_and_events_are_exported() -> None:
    failed = span("GET feed", 5, 1, 0, 10, error="timeout")
    retried = span(FEED, 1, 0, 0, 20, SERVER, {"a": 1.5, "b": True}, events=(Event("retry", AT, {"cause": "timeout"}),))
    trace = Trace("c" * 32, "retried", [Process("gateway", "gateway", "1.0.0", [retried, failed])])
    first, second = spans_by_instance(read_back(trace))["gateway"]
    assert first["events"][0]["name"] == "retry"
    assert [row["value"] for row in first["attributes"]] == [{"doubleValue": 1.5}, {"boolValue": True}]
    assert "parentSpanId" not in first
    assert second["status"] == {"code": 2, "message": "timeout"}


def test_markup_and_quotes_stay_text() -> None:
    odd = "<script>alert('\"')</script>\ud800"
    trace = Trace("d" * 32, "slow", [Process("gateway", "gateway", "1.0.0", [call(odd, 1, odd)])])
    text = json.dumps(otlp.request([trace]))
    assert json.loads(text)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == f"GET {odd}"
