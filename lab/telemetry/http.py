"""What every HTTP server measures and logs, attached to a Flask app from outside: handlers know nothing of it."""

from __future__ import annotations

import re
from time import perf_counter
from typing import Any

from flask import Flask, Response, g, has_request_context, request

from lab import names
from lab.telemetry import logs, trace
from lab.telemetry.metrics import CollectorRegistry, Histogram
from lab.telemetry.settings import Settings

# Set by the server when the request was complete, so that waiting for a thread counts as latency.
RECEIVED_AT = "fleetops.received_at"
ROUTE_OTHER = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
_SECRET_HEADERS = frozenset({"Authorization", "Cookie", "Set-Cookie"})


class ServerTelemetry:
    """Duration histogram, one log line a request, trace context, identity headers."""

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._durations = Histogram(
            names.HTTP_SERVER_DURATION,
            "Duration of HTTP requests served, from their arrival to their answer, waiting for a thread included.",
            [names.LABEL_METHOD, names.LABEL_ROUTE, names.LABEL_STATUS, names.LABEL_VERSION],
            buckets=names.LATENCY_BUCKETS_SECONDS,
            registry=registry,
        )
        self._log = logs.get().bind()

    def init_app(self, app: Flask) -> None:
        """Attaches to `app`; call it before anything else adds a before_request."""
        app.before_request(self._begin)
        app.after_request(self._end)
        app.teardown_request(self._leave)

    def _begin(self) -> None:
        environ = request.environ
        g.started = environ.get(RECEIVED_AT) or perf_counter()
        g.facts = {}
        carrier = {}
        for header in ("traceparent", "tracestate", "x-request-id"):
            if value := environ.get("HTTP_" + header.upper().replace("-", "_")):
                carrier[header] = value
        g.entered = trace.enter(carrier)

    def _end(self, response: Response) -> Response:
        seconds = perf_counter() - g.started
        route = route_template()
        method = request.method if request.method in _METHODS else "_OTHER"
        status = response.status_code
        self._durations.labels(method, route, str(status), self._settings.version).observe(
            seconds, {"trace_id": trace.trace_id()}
        )
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
            **g.facts,
        )
        return response

    def _leave(self, _problem: BaseException | None) -> None:
        if entered := g.pop("entered", None):
            trace.leave(entered)


def fact(key: str, value: Any) -> None:
    """Adds `key` to the log line of the current request; work that is done for no request has no such line."""
    if has_request_context():
        g.facts[key] = value


def count_fact(key: str, amount: int = 1) -> None:
    """Counts `key` up on the log line of the current request, if there is one."""
    if has_request_context():
        g.facts[key] = g.facts.get(key, 0) + amount


def route_template() -> str:
    """The matched route as the SLOs name it (/v1/users/{user_id}), or 'other'; never the raw path."""
    rule = request.url_rule
    return _template(rule.rule) if rule is not None else ROUTE_OTHER


_TEMPLATES: dict[str, str] = {}


def _template(rule: str) -> str:
    known = _TEMPLATES.get(rule)
    if known is None:
        known = _TEMPLATES[rule] = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule)
    return known
