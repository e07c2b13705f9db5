"""The public API: GET /v1/feed/{user_id}, GET and PUT /v1/users/{user_id}. Admitted requests are forwarded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from time import monotonic

from flask import Flask, Response, abort, g, request
from werkzeug.exceptions import ServiceUnavailable

from lab import names
from lab.services.breaker import OPEN
from lab.services.gateway.admission import AdmissionControl, client_id
from lab.services.gateway.canary_split import to_canary
from lab.services.gateway.comparison import Comparison, Target
from lab.services.gateway.rate_limit import RateLimiter
from lab.services.gateway.store import Store
from lab.services.upstream import Reply, Upstream, UpstreamError, UpstreamOpenError, UpstreamTimeoutError
from lab.telemetry.http import log_field
from lab.telemetry.process import Telemetry
from lab.telemetry.web import new_app

MAX_BODY_BYTES = 16 * 1024
SERVER_ERRORS = (500, 502, 503, 504)
_PASSED_BACK = ("Content-Type", names.HEADER_VERSION, names.HEADER_INSTANCE, "Retry-After")


def create_app(
    telemetry: Telemetry,
    store: Store,
    limiter: RateLimiter,
    upstreams: Mapping[str, Upstream],
    comparison: Comparison,
) -> Flask:
    """The gateway's public app."""
    app = new_app("gateway", max_body_bytes=MAX_BODY_BYTES)
    telemetry.init_app(app)
    telemetry.observe_requests(partial(_compare, comparison))
    for method, route in (("GET", names.ROUTE_FEED), ("GET", names.ROUTE_USER), ("PUT", names.ROUTE_USER)):
        telemetry.expect_requests(method, route, SERVER_ERRORS)
    AdmissionControl(telemetry, store, limiter).init_app(app)

    def forward(name: str, path: str, baggage: str = "") -> Response:
        log_field("upstream", name)
        g.upstream = name
        headers = {names.HEADER_CLIENT_ID: client_id()}
        if baggage:
            headers[names.HEADER_BAGGAGE] = baggage
        body = None
        if request.method == "PUT":
            body = request.get_data()
            headers["Content-Type"] = request.headers.get("Content-Type", "")
        try:
            reply = upstreams[name].call(request.method, path, headers, body)
            g.upstream_url = reply.url
            return _response(reply)
        except UpstreamError as problem:
            g.upstream_url = problem.url
            if isinstance(problem, UpstreamOpenError):
                raise ServiceUnavailable(str(problem), retry_after=1) from None
            abort(504 if isinstance(problem, UpstreamTimeoutError) else 502, str(problem))

    def is_open(name: str) -> bool:
        return upstreams[name].breaker.state(monotonic()) == OPEN

    @app.get(names.ROUTE_FEED.replace("{user_id}", "<id:user_id>"))
    def feed(user_id: int) -> Response:
        state = store.state
        # Stable has the capacity for all clients, so nobody is affected by a canary that does not answer.
        canary = to_canary(client_id(), state.canary_weight(), state.canary_salt) and not is_open(names.UPSTREAM_CANARY)
        options = state.feed_options()
        if is_open(names.UPSTREAM_USER):
            options = replace(options, profiles=False)
        name = names.UPSTREAM_CANARY if canary else names.UPSTREAM_FEED
        return forward(name, f"/v1/feed/{user_id}", options.baggage())

    @app.route(names.ROUTE_USER.replace("{user_id}", "<id:user_id>"), methods=["GET", "PUT"])
    def user(user_id: int) -> Response:
        return forward(names.UPSTREAM_USER, f"/v1/users/{user_id}")

    return app


def _compare(comparison: Comparison, labels: Mapping[str, str], seconds: float) -> None:
    """Count the current request for the version or replica that it was sent to. Refused requests have none."""
    if upstream := g.get("upstream"):
        comparison.observe(Target(upstream, g.get("upstream_url", "")), client_id(), labels, seconds)


def _response(reply: Reply) -> Response:
    """The upstream's response; 502 if its status is invalid."""
    headers = {name: reply.headers[name] for name in _PASSED_BACK if name in reply.headers}
    if not 200 <= reply.status < 600:
        abort(502, f"the upstream answered with the invalid status {reply.status}")
    return Response(reply.body, reply.status, headers={"Content-Type": "application/json", **headers})
