"""Metrics, logs and trace context of every HTTP server, attached to a Flask app as hooks around its handlers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any

from flask import Flask, Response, g, has_request_context, request

from lab import names
from lab.telemetry import logs, spans, trace
from lab.telemetry.metrics import CollectorRegistry, Histogram
from lab.telemetry.sampling import TailSampler
from lab.telemetry.settings import Settings

# Set by the server when the request was received in full, so that queueing for a thread counts as latency.
RECEIVED_AT = "fleetops.received_at"
ROUTE_OTHER = "other"
QUEUE_WAIT = "wait for a thread"
# Called with the labels and the duration in seconds of each answered request.
Observer = Callable[[Mapping[str, str], float], None]
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
_SECRET_HEADERS = frozenset({"Authorization", "Cookie", "Set-Cookie"})


class ServerTelemetry:
    """Records a duration histogram, a log line and the spans of each request; sets trace context and identity headers.

    Without a ring no spans are recorded. The process at the edge has a sampler, which chooses the traces to keep.
    """

    def __init__(
        self,
        settings: Settings,
        registry: CollectorRegistry,
        ring: spans.Ring | None = None,
        sampler: TailSampler | None = None,
    ) -> None:
        self._settings = settings
        self._ring = ring
        self._sampler = sampler
        self._durations = Histogram(
            names.HTTP_SERVER_DURATION,
            "Duration of HTTP server requests, from arrival to response, including queueing for a thread.",
            [names.LABEL_METHOD, names.LABEL_ROUTE, names.LABEL_STATUS, names.LABEL_VERSION],
            buckets=names.LATENCY_BUCKETS_SECONDS,
            registry=registry,
        )
        self._log = logs.get().bind()
        self.observers: list[Observer] = []

    def expect(self, method: str, route: str, statuses: Iterable[int]) -> None:
        """Export the durations of these outcomes from the start, with a count of 0.

        rate() does not see the first events of a series that begins with them, and extrapolates the next ones: a new
        failure would be missed, then counted double.
        """
        for status in statuses:
            self._durations.labels(method, route, str(status), self._settings.version)

    def init_app(self, app: Flask) -> None:
        """Attaches to `app`. Call it before any other before_request hook is added."""
        app.before_request(self._begin)
        app.after_request(self._end)
        app.teardown_request(self._leave)

    def _begin(self) -> None:
        environ = request.environ
        g.started = environ.get(RECEIVED_AT) or perf_counter()
        g.log_fields = {}
        carrier = {}
        for header in ("traceparent", "tracestate", "x-request-id"):
            if value := environ.get("HTTP_" + header.upper().replace("-", "_")):
                carrier[header] = value
        g.entered = entered = trace.enter(carrier, sampled=self._sampler.baseline() if self._sampler else None)
        if self._ring is not None:
            span = entered.span
            request_spans = spans.Request(
                self._ring, span.trace_id, span.span_id, entered.parent_id, sampled=span.trace_flags.sampled
            )
            g.spans = spans.begin(request_spans)
            if RECEIVED_AT in environ:
                spans.record(QUEUE_WAIT, g.started)

    def _end(self, response: Response) -> Response:
        seconds = perf_counter() - g.started
        route = route_template()
        method = request.method if request.method in _METHODS else "_OTHER"
        status = response.status_code
        labels = {
            names.LABEL_METHOD: method,
            names.LABEL_ROUTE: route,
            names.LABEL_STATUS: str(status),
            names.LABEL_VERSION: self._settings.version,
        }
        self._durations.labels(**labels).observe(seconds, self._finish_spans(labels, seconds))
        for observe in self.observers:
            observe(labels, seconds)
        headers = response.headers
        headers.setdefault(names.HEADER_REQUEST_ID, trace.request_id())
        headers.setdefault(names.HEADER_VERSION, self._settings.version)
        headers.setdefault(names.HEADER_INSTANCE, self._settings.instance)
        if logs.shows_debug():
            self._log.debug(
                "exchange",
                request_headers={key: value for key, value in request.headers if key not in _SECRET_HEADERS},
                request_body=request.get_data(as_text=True),
                response_headers={key: value for key, value in headers if key not in _SECRET_HEADERS},
                response_body="" if response.is_streamed else response.get_data(as_text=True),
            )
        level = self._log.error if status >= 500 else self._log.info
        level(
            "request",
            method=method,
            route=route,
            path=request.path[:200],
            status=status,
            duration_seconds=round(seconds, 6),
            **g.log_fields,
        )
        return response

    def _finish_spans(self, labels: Mapping[str, str], seconds: float) -> dict[str, str] | None:
        """Finish the spans of the request. Returns the exemplar of its duration; None if its trace is not kept."""
        request_spans = spans.current()
        if request_spans is None:
            return spans.exemplar(seconds)
        method, route, status = (labels[key] for key in (names.LABEL_METHOD, names.LABEL_ROUTE, names.LABEL_STATUS))
        fields = g.log_fields
        attributes = {
            names.ATTRIBUTE_METHOD: method,
            names.ATTRIBUTE_ROUTE: route,
            names.ATTRIBUTE_STATUS: int(status),
            "url.path": request.path[:200],
            **{f"fleetops.{key}": value for key, value in fields.items() if isinstance(value, str | int | float)},
        }
        request_spans.finish(f"{method} {route}", g.started, attributes, status if status >= "500" else "")
        if self._sampler is None:
            return spans.exemplar(seconds)
        reason = self._sampler.decide(
            request_spans.trace_id, seconds, int(status),
            retried="upstream_retries" in fields, shed="shed" in fields, sampled=request_spans.sampled,
        )  # fmt: skip
        return {"trace_id": trace.trace_id()} if reason else None

    def _leave(self, _problem: BaseException | None) -> None:
        if token := g.pop("spans", None):
            spans.end(token)
        if entered := g.pop("entered", None):
            trace.leave(entered)


def log_field(key: str, value: Any) -> None:
    """Sets a field of the current request's log line. Outside a request it does nothing."""
    if has_request_context():
        g.log_fields[key] = value


def count_log_field(key: str, amount: int = 1) -> None:
    """Adds `amount` to a field of the current request's log line. Outside a request it does nothing."""
    if has_request_context():
        g.log_fields[key] = g.log_fields.get(key, 0) + amount


def route_template() -> str:
    """The template of the matched route, such as /v1/users/{user_id}, or "other"; never the raw path."""
    rule = request.url_rule
    return _template(rule.rule) if rule is not None else ROUTE_OTHER


_TEMPLATES: dict[str, str] = {}


def _template(rule: str) -> str:
    template = _TEMPLATES.get(rule)
    if template is None:
        template = _TEMPLATES[rule] = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule)
    return template
