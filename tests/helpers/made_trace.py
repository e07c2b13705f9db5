"""Traces for tests: a request of the stable version, and one of the canary with its 48 statements."""

from __future__ import annotations

from lab import names
from lab.telemetry.span_routes import Process
from lab.telemetry.spans import CLIENT, SERVER, Attributes, Event, Span
from lab.tracing.documents import Trace

AT = 1_796_000_000.0
SQL = {names.ATTRIBUTE_DB_SYSTEM: "postgresql", names.ATTRIBUTE_DB_QUERY: "SELECT 1"}
FEED = "GET /v1/feed/{user_id}"


def hexadecimal(ident: int) -> str:
    """A span id."""
    return f"{ident:016x}"


def span(
    name: str, ident: int, parent: int, start_ms: float, ms: float, kind: int = CLIENT,
    attributes: Attributes | None = None, error: str = "", events: tuple[Event, ...] = (),
) -> Span:  # fmt: skip
    """A span; times are in milliseconds after AT."""
    return Span(
        name,
        kind,
        hexadecimal(ident),
        hexadecimal(parent) if parent else "",
        AT + start_ms / 1000,
        ms / 1000,
        attributes or {},
        error,
        events,
    )


def served(ms: float, status: int = 200) -> Span:
    """The gateway's server span; its caller, the client, records none."""
    attributes: Attributes = {names.ATTRIBUTE_METHOD: "GET", names.ATTRIBUTE_STATUS: status}
    return span(FEED, 1, 99, 0, ms, SERVER, attributes, str(status) if status >= 500 else "")


def call(upstream: str, ms: float, instance: str) -> Span:
    """The gateway's call of the feed."""
    attributes = {names.ATTRIBUTE_UPSTREAM: upstream, names.ATTRIBUTE_UPSTREAM_INSTANCE: instance}
    return span(f"GET {upstream}", 2, 1, 1, ms, CLIENT, attributes)


def normal(trace_id: str = "a" * 32) -> Trace:
    """A feed in 20 ms, from the cache."""
    gateway = Process("gateway", "gateway", "1.0.0", [served(20), call("feed", 18, "feed-1")])
    cache = span("cache get", 4, 3, 3, 1, CLIENT, {names.ATTRIBUTE_DB_SYSTEM: "valkey", names.ATTRIBUTE_RESULT: "hit"})
    feed = Process("feed", "feed-1", "1.0.0", [span(FEED, 3, 2, 2, 16, SERVER), cache])
    return Trace(trace_id, "baseline", [gateway, feed])


def slow(trace_id: str = "b" * 32, *, statements: int = 48) -> Trace:
    """A feed of the canary in 520 ms: after the cache, 48 statements of 10 ms, one after another."""
    gateway = Process("gateway", "gateway", "1.0.0", [served(520), call("feed-canary", 510, "feed-canary-1")])
    operations = ("post.select", "user.select", "follow.exists")
    sql = [span(operations[n % 3], 100 + n, 3, 10 + n * 10, 10, CLIENT, SQL) for n in range(statements)]
    cache = span("cache get", 4, 3, 3, 1, CLIENT, {names.ATTRIBUTE_DB_SYSTEM: "valkey", names.ATTRIBUTE_RESULT: "hit"})
    feed = Process("feed", "feed-canary-1", "1.1.0", [span(FEED, 3, 2, 2, 500, SERVER), cache, *sql])
    return Trace(trace_id, "slow", [feed, gateway])
