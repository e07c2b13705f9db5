"""Queries on the console: PromQL, the last requests at the gateway, and the log lines of one request."""

from __future__ import annotations

import json
import math
import time

import msgspec

from lab.clients.prometheus import Prometheus
from lab.console.documents import ChartLine, LoggedRequest, QueryAnswer, QueryRow
from lab.drills.schema.parts import Samples
from lab.drills.schema.record import LogLine
from lab.errors import LabError, UsageError
from lab.paths import Home
from lab.promql_tokens import tokens
from lab.stack import logs
from lab.stack.programs import service_of
from lab.tracing import drawing, store

QUERY_CHARACTERS = 2000
ROWS = 100
SPAN_SECONDS = 300
STEP_SECONDS = 2
LINES = 200
REQUESTS = 30
# The services that a user's request passes through; each logs the request's trace id.
ON_THE_PATH = ("gateway", "feed", "feed-canary", "user")
HEX = frozenset("0123456789abcdef")


def query(prometheus: Prometheus, text: str) -> QueryAnswer:
    """The result of a PromQL query now, and as up to three lines over the last SPAN_SECONDS.

    Raises UsageError for an empty or long query, and with Prometheus' own words for one that it refuses.
    """
    if not text.strip() or len(text) > QUERY_CHARACTERS:
        raise UsageError(f"the query must have 1 to {QUERY_CHARACTERS} characters")
    rows = prometheus.instant(text)
    end = time.time()
    end -= end % STEP_SECONDS
    start = end - SPAN_SECONDS
    count = SPAN_SECONDS // STEP_SECONDS + 1
    lines = []
    for series in prometheus.range(text, start, end, STEP_SECONDS)[:3]:
        values: Samples = [None] * count
        for at, value in series.points:
            values[round((at - start) / STEP_SECONDS)] = value if math.isfinite(value) else None
        lines.append(ChartLine(title=_labels(series.labels), values=values))
    return QueryAnswer(
        total=len(rows),
        rows=[QueryRow(labels=_labels(row.labels), value=_number(row.value)) for row in rows[:ROWS]],
        start=start,
        step_seconds=STEP_SECONDS,
        lines=lines,
    )


def highlighted(text: str) -> list[list[str]]:
    """The tokens of a PromQL query as [class, text]; one token without a class where no highlighter is installed."""
    if len(text) > QUERY_CHARACTERS:
        raise UsageError(f"the query must have at most {QUERY_CHARACTERS} characters")
    try:
        return tokens(text)
    except LabError:
        return [["", text]]


def requests(home: Home) -> list[LoggedRequest]:
    """The last requests that the gateway logged, at most REQUESTS, the newest first."""
    by_trace: dict[str, LoggedRequest] = {}
    for line in logs.last(logs.files(home, "gateway"), LINES):
        if request := _request(line.text):
            by_trace.pop(request.trace_id, None)
            by_trace[request.trace_id] = request
    return list(by_trace.values())[-REQUESTS:][::-1]


def lines(home: Home, trace: str) -> list[str]:
    """The log lines of one request across services, in time order. Raises UsageError for a malformed trace id."""
    _checked(trace)
    paths = [home.logs / f"{name}.log" for name in sorted(set(logs.log_names(home))) if service_of(name) in ON_THE_PATH]
    return [line.text for line in logs.last(paths, LINES, trace)]


def waterfall(home: Home, trace: str) -> str:
    """The waterfall of one request as HTML, or why there is none. Raises UsageError for a malformed trace id."""
    _checked(trace)
    try:
        return drawing.waterfall(store.find(home, trace), label=f"Trace {trace}")
    except UsageError as absent:
        return drawing.note(str(absent))


def _checked(trace: str) -> str:
    if len(trace) != 32 or not set(trace) <= HEX:
        raise UsageError(
            "a trace id has 32 lower-case hexadecimal digits; choose a request or copy one from a log line"
        )
    return trace


def _request(text: str) -> LoggedRequest | None:
    """The request that a log line reports; None for any other line."""
    try:
        line = msgspec.json.decode(text, type=LogLine)
        return msgspec.convert(line, LoggedRequest) if line.get("event") == "request" else None
    except msgspec.DecodeError:
        return None


def _labels(labels: dict[str, str]) -> str:
    name = labels.get("__name__", "")
    inner = ", ".join(f"{key}={json.dumps(value)}" for key, value in sorted(labels.items()) if key != "__name__")
    return f"{name}{{{inner}}}" if inner or not name else name


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
