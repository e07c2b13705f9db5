"""The public API: GET /v1/feed/{user_id}, GET and PUT /v1/users/{user_id}. What may pass is passed on."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from time import monotonic

from flask import Flask, Response, abort, g, request
from werkzeug.exceptions import ServiceUnavailable, TooManyRequests

from lab import names
from lab.services.gateway import flags
from lab.services.gateway.limits import RateLimiter
from lab.services.gateway.split import to_canary
from lab.services.gateway.state import State, Store
from lab.services.upstream import Upstream, UpstreamTimeoutError, UpstreamUnreachableError
from lab.telemetry.http import fact, route_template
from lab.telemetry.metrics import Counter, Gauge
from lab.telemetry.process import Telemetry

MAX_BODY_BYTES = 16 * 1024
_PASSED_BACK = (names.HEADER_VERSION, names.HEADER_INSTANCE, "Retry-After")


class Door:
    """What stands before every route: the quota, the flags, and a limit on requests in flight."""

    def __init__(self, telemetry: Telemetry, store: Store, limiter: RateLimiter) -> None:
        self._store = store
        self._limiter = limiter
        self._lock = threading.Lock()
        self._inflight = 0
        registry = telemetry.registry
        Gauge(names.GATEWAY_INFLIGHT, "Requests in flight.", registry=registry).set_function(lambda: self._inflight)
        self._limited = Counter(names.GATEWAY_RATELIMITED, "Requests refused by a quota.", ["scope"], registry=registry)
        self._shed = Counter(
            names.GATEWAY_SHED, "Requests shed: too many in flight.", [names.LABEL_ROUTE], registry=registry
        )
        for scope in ("client", "global"):
            self._limited.labels(scope)
        for route in (names.ROUTE_FEED, names.ROUTE_USER):
            self._shed.labels(route)

    def init_app(self, app: Flask) -> None:
        """Stands before every known route of `app`."""
        app.before_request(self._enter)
        app.teardown_request(self._leave)

    def _enter(self) -> None:
        if request.url_rule is None:
            return
        scope, wait = self._limiter.take(client_id(), monotonic())
        if scope:
            self._limited.labels(scope).inc()
            raise TooManyRequests(f"over the {scope} quota", retry_after=max(1, math.ceil(wait)))
        state = self._store.state
        if off := _switched_off(state):
            raise ServiceUnavailable(f"{off} is switched off", retry_after=5)
        with self._lock:
            admitted = self._inflight < state.max_inflight
            if admitted:
                self._inflight += 1
                g.admitted = True
        if not admitted:
            self._shed.labels(route_template()).inc()
            raise ServiceUnavailable("too many requests in flight", retry_after=1)

    def _leave(self, _problem: BaseException | None) -> None:
        if g.pop("admitted", False):
            with self._lock:
                self._inflight -= 1


def _switched_off(state: State) -> str:
    """The name of the flag that closes this route, or ''."""
    if request.method == "PUT" and not state.flags[flags.PROFILE_WRITES]:
        return flags.PROFILE_WRITES
    if route_template() == names.ROUTE_FEED and not state.flags[flags.FEED]:
        return flags.FEED
    return ""


def client_id() -> str:
    """Who calls: what the client says of itself, else where it calls from."""
    return (request.headers.get(names.HEADER_CLIENT_ID) or request.remote_addr or "")[:64]


def create_app(telemetry: Telemetry, store: Store, limiter: RateLimiter, upstreams: Mapping[str, Upstream]) -> Flask:
    """The gateway's public app."""
    app = Flask("gateway", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    telemetry.init_app(app)
    Door(telemetry, store, limiter).init_app(app)

    def forward(name: str, path: str) -> Response:
        fact("upstream", name)
        headers = {names.HEADER_CLIENT_ID: client_id()}
        body = None
        if request.method == "PUT":
            body = request.get_data()
            headers["Content-Type"] = request.headers.get("Content-Type", "")
        try:
            reply = upstreams[name].call(request.method, path, headers, body)
        except UpstreamTimeoutError as problem:
            abort(504, str(problem))
        except UpstreamUnreachableError as problem:
            abort(502, str(problem))
        response = Response(
            reply.body, reply.status, content_type=reply.headers.get("Content-Type", "application/json")
        )
        for header in _PASSED_BACK:
            if value := reply.headers.get(header):
                response.headers[header] = value
        return response

    @app.get(names.ROUTE_FEED.replace("{user_id}", "<int:user_id>"))
    def feed(user_id: int) -> Response:
        canary = to_canary(client_id(), store.state.canary_weight())
        return forward(names.UPSTREAM_CANARY if canary else names.UPSTREAM_FEED, f"/v1/feed/{user_id}")

    @app.route(names.ROUTE_USER.replace("{user_id}", "<int:user_id>"), methods=["GET", "PUT"])
    def user(user_id: int) -> Response:
        return forward(names.UPSTREAM_USER, f"/v1/users/{user_id}")

    return app
