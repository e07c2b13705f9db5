"""One service of the lab with one kind of telemetry, in a process of its own, for scripts/bench_tracing.py.

    python -m scripts.telemetry_sides gateway|feed SIDE URL...

The arguments are the URL of the service behind the gateway, or of the feed's database and cache. Each line of the
standard input asks for a block, as [requests, requests a second], and is answered with a line of JSON. The requests are
WSGI calls: no server takes part, and what the app waits for costs no processor time.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask, g
from werkzeug.test import EnvironBuilder

from lab import names
from lab.services.cache import Cache
from lab.services.db import Database
from lab.services.feed.app import create_app as create_feed
from lab.services.feed.canary import CanaryPages
from lab.services.feed.hot_feeds import HotFeeds
from lab.services.feed.options import FeedOptions
from lab.services.feed.page_cache import PageCache
from lab.services.feed.profiles import Profiles
from lab.services.gateway.app import create_app as create_gateway
from lab.services.gateway.comparison import Comparison
from lab.services.gateway.rate_limit import RateLimiter
from lab.services.gateway.state import State
from lab.services.gateway.store import Store
from lab.services.upstream import ClientMetrics, Upstream
from lab.telemetry.http import RECEIVED_AT
from lab.telemetry.process import Telemetry
from lab.telemetry.settings import Environment, Settings

BARE, UNTRACED, OURS, EXPORTER, OPENTELEMETRY = "bare", "untraced", "ours", "exporter", "opentelemetry"
SIDES = (BARE, UNTRACED, OURS, EXPORTER, OPENTELEMETRY)
SERVICES = ("gateway", "feed")
CLIENTS = 400
TRACE_SLOW_SECONDS = 0.2
VIEWERS = 20_000


class NoTelemetry(Telemetry):
    """Attaches nothing to the app but what its handlers and its other hooks write to."""

    def init_app(self, app: Flask) -> None:
        """No histogram, log line, trace context or span of a request."""
        app.before_request(_begin)

    def expect_requests(self, *_: object) -> None:
        """There is no histogram."""

    def observe_requests(self, *_: object) -> None:
        """Nobody measures the duration."""


def _begin() -> None:
    g.log_fields = {}


def telemetry(service: str, side: str) -> Telemetry:
    """The telemetry of the lab, or none of it."""
    variables = {} if side != OURS else {names.ENV_TRACE_SLOW: str(TRACE_SLOW_SECONDS)}
    settings = Settings.read(
        service, environment=Environment(variables), version=names.VERSION_CANARY, public=False, admin=False
    )
    kind = Telemetry if side in (UNTRACED, OURS) else NoTelemetry
    return kind(settings, edge=service == "gateway")


def gateway(side: str, folder: Path, url: str) -> Flask:
    """The gateway, whose services are all at `url`."""
    process = telemetry("gateway", side)
    upstream_names = (names.UPSTREAM_USER, names.UPSTREAM_FEED, names.UPSTREAM_CANARY)
    store = Store(folder, State(upstreams=dict.fromkeys(upstream_names, (url,))))
    metrics = ClientMetrics(process.registry)
    upstreams = {name: Upstream(name, (url,), 3.0, metrics) for name in upstream_names}
    return create_gateway(process, store, RateLimiter(store.state.ratelimit), upstreams, Comparison())


def feed(side: str, _folder: Path, database_url: str, cache_url: str) -> Flask:
    """The canary of the feed, which executes a statement for each post."""
    process = telemetry("feed", side)
    registry = process.registry
    database = Database(database_url, application=f"bench-{side}", pool_max=1, registry=registry)
    database.open()
    cache = Cache(cache_url, name="feed", ttl_seconds=60, registry=registry)
    nobody = Upstream(names.UPSTREAM_USER, ("http://127.0.0.1:9",), 0.1, ClientMetrics(registry))
    return create_feed(process, CanaryPages(database, PageCache(cache, registry), Profiles(nobody)), HotFeeds())


def attach(app: Flask, side: str) -> None:
    """Attach the libraries of a side to its app, as their documentation says."""
    if side in (EXPORTER, OPENTELEMETRY):
        from prometheus_client import CollectorRegistry
        from prometheus_flask_exporter import PrometheusMetrics  # type: ignore[import-not-found]

        PrometheusMetrics(app, registry=CollectorRegistry())
    if side == OPENTELEMETRY:
        from opentelemetry.instrumentation.flask import FlaskInstrumentor  # type: ignore[import-not-found]

        FlaskInstrumentor().instrument_app(app)


def prepare(side: str) -> None:
    """What a side needs before the first connection. Spans are dropped where they would be sent."""
    if side == OPENTELEMETRY:
        from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor  # type: ignore[import-not-found]
        from opentelemetry.sdk.trace import TracerProvider  # type: ignore[import-not-found]
        from opentelemetry.sdk.trace.export import (  # type: ignore[import-not-found]
            BatchSpanProcessor,
            SpanExporter,
            SpanExportResult,
        )  # fmt: skip
        from opentelemetry.trace import set_tracer_provider

        class Dropped(SpanExporter):  # type: ignore[misc]
            """Sends no span."""

            def export(self, _spans: object) -> Any:
                """Accept the spans."""
                return SpanExportResult.SUCCESS

        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(Dropped()))
        set_tracer_provider(provider)
        PsycopgInstrumentor().instrument()


def environments(service: str, count: int, first: int) -> list[dict[str, Any]]:
    """The WSGI environments of `count` requests, each of another viewer, so that no feed is in the cache."""
    headers = {names.HEADER_BAGGAGE: FeedOptions(profiles=False).baggage()} if service == "feed" else {}
    made = []
    for number in range(first, first + count):
        headers[names.HEADER_CLIENT_ID] = f"client-{number % CLIENTS:03}"
        builder = EnvironBuilder(f"/v1/feed/{number % VIEWERS + 1}", headers=list(headers.items()))
        made.append(builder.get_environ())
    return made


def measure(app: Flask, requests: list[dict[str, Any]], rate: float) -> dict[str, Any]:
    """Processor seconds and latencies of these requests, offered at `rate` a second."""
    latencies, answered = [], 0

    def start(status: str, *_: object) -> Callable[[bytes], object]:
        nonlocal answered
        answered += status.startswith("200")
        return lambda data: data

    used, began = time.process_time(), time.perf_counter()
    for number, environ in enumerate(requests):
        if (early := began + number / rate - time.perf_counter()) > 0:
            time.sleep(early)
        environ[RECEIVED_AT] = started = time.perf_counter()
        body = app.wsgi_app(environ, start)
        b"".join(body)
        if close := getattr(body, "close", None):
            close()
        latencies.append(time.perf_counter() - started)
    return {"cpu_seconds": time.process_time() - used, "latencies": latencies, "answered": answered}


def main() -> None:
    """Serve blocks of requests until the standard input ends."""
    service, side, *urls = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the log lines
    with tempfile.TemporaryDirectory() as folder:
        prepare(side)
        app = (gateway if service == "gateway" else feed)(side, Path(folder), *urls)
        attach(app, side)
        # Viewers of its own: the sides of the feed share a cache, and a feed that another has built needs no building.
        first = SIDES.index(side) * (VIEWERS // len(SIDES))
        for line in sys.stdin:
            count, rate = json.loads(line)
            result = measure(app, environments(service, count, first), rate)
            first += count
            answers.write(json.dumps(result) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
