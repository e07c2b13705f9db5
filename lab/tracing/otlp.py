"""Traces as OTLP JSON, the format in which OpenTelemetry's collector, Jaeger and Tempo import them.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids in hexadecimal, 64-bit numbers as strings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from lab.telemetry.spans import Attributes, Event, Span
from lab.tracing.documents import Trace

SCOPE = "fleetops"
ERROR = 2  # of Status.code
Json = dict[str, Any]


def request(traces: Iterable[Trace]) -> Json:
    """An ExportTraceServiceRequest with the spans of `traces`, by process."""
    spans: dict[tuple[str, str, str], list[Json]] = defaultdict(list)
    for trace in traces:
        for process, span in trace.spans():
            spans[process.service, process.instance, process.version].append(_span(trace.trace_id, span))
    return {
        "resourceSpans": [
            {
                "resource": {
                    "attributes": _attributes(
                        {"service.name": service, "service.instance.id": instance, "service.version": version}
                    )
                },
                "scopeSpans": [{"scope": {"name": SCOPE}, "spans": rows}],
            }
            for (service, instance, version), rows in spans.items()
        ]
    }


def _span(trace_id: str, span: Span) -> Json:
    row: Json = {
        "traceId": trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": _nanoseconds(span.start),
        "endTimeUnixNano": _nanoseconds(span.start + span.seconds),
    }
    if span.parent_id:
        row["parentSpanId"] = span.parent_id
    if span.attributes or span.error:
        row["attributes"] = _attributes({**span.attributes, **({"error.type": span.error} if span.error else {})})
    if span.events:
        row["events"] = [_event(event) for event in span.events]
    if span.error:
        row["status"] = {"code": ERROR, "message": span.error}
    return row


def _event(event: Event) -> Json:
    return {"timeUnixNano": _nanoseconds(event.at), "name": event.name, "attributes": _attributes(event.attributes)}


def _nanoseconds(epoch_seconds: float) -> str:
    return str(round(epoch_seconds * 1e9))


def _attributes(values: Attributes) -> list[Json]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: str | float | bool) -> Json:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
    return {"stringValue": value}
