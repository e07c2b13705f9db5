"""What a person may ask from the console: a PromQL query, the last requests, and the log lines of one of them."""

from __future__ import annotations

import json
import math
import time
from typing import Any

from lab.clients.prometheus import Prometheus
from lab.errors import LabError, UsageError
from lab.paths import Home
from lab.promql_tokens import tokens
from lab.stack import logs
from lab.stack.programs import service_of

QUERY_CHARACTERS = 2000
ROWS = 100
SPAN_SECONDS = 300
STEP_SECONDS = 2
LINES = 200
REQUESTS = 30
# The services a user's request passes through; each writes the trace id it was given.
ON_THE_PATH = ("gateway", "feed", "feed-canary", "user")
HEX = frozenset("0123456789abcdef")


def query(prometheus: Prometheus, text: str) -> dict[str, Any]:
    """The vector now, and the same over the last minutes; UsageError quotes Prometheus when it does not understand."""
    if not text.strip() or len(text) > QUERY_CHARACTERS:
        raise UsageError(f"a query has 1 to {QUERY_CHARACTERS} characters")
    rows = prometheus.instant(text)
    end = time.time()
    end -= end % STEP_SECONDS
    start = end - SPAN_SECONDS
    count = SPAN_SECONDS // STEP_SECONDS + 1
    lines = []
    for series in prometheus.range(text, start, end, STEP_SECONDS)[:3]:
        values: list[float | None] = [None] * count
        for at, value in series.points:
            values[round((at - start) / STEP_SECONDS)] = value if math.isfinite(value) else None
        lines.append({"title": _labels(series.labels), "values": values})
    return {
        "total": len(rows),
        "rows": [{"labels": _labels(row.labels), "value": _number(row.value)} for row in rows[:ROWS]],
        "start": start,
        "step_seconds": STEP_SECONDS,
        "lines": lines,
    }


def highlighted(text: str) -> list[list[str]]:
    """A query's tokens; one plain piece where no highlighter is installed."""
    if len(text) > QUERY_CHARACTERS:
        raise UsageError(f"a query has at most {QUERY_CHARACTERS} characters")
    try:
        return tokens(text)
    except LabError:
        return [["", text]]


def requests(home: Home) -> list[dict[str, Any]]:
    """The last requests that the gateway wrote a line about, the newest first."""
    found: dict[str, dict[str, Any]] = {}
    for line in logs.last(logs.files(home, "gateway"), LINES):
        entry = _entry(line.text)
        if entry.get("event") == "request" and (trace := str(entry.get("trace_id", ""))):
            found.pop(trace, None)
            keys = ("ts", "method", "path", "status", "duration_seconds", "upstream")
            found[trace] = {"trace_id": trace, **{key: entry.get(key) for key in keys}}
    return list(found.values())[-REQUESTS:][::-1]


def lines(home: Home, trace: str) -> list[str]:
    """The log lines of one request, across services, in the order of time."""
    if len(trace) != 32 or not set(trace) <= HEX:
        raise UsageError("a trace id has 32 hexadecimal digits; choose a request, or copy one from a log line")
    known = set(logs.log_names(home))
    paths = [home.logs / f"{name}.log" for name in sorted(known) if service_of(name) in ON_THE_PATH]
    return [line.text for line in logs.last(paths, LINES, trace)]


def _entry(text: str) -> dict[str, Any]:
    try:
        entry = json.loads(text)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _labels(labels: dict[str, str]) -> str:
    name = labels.get("__name__", "")
    inner = ", ".join(f"{key}={json.dumps(value)}" for key, value in sorted(labels.items()) if key != "__name__")
    return f"{name}{{{inner}}}" if inner or not name else name


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
