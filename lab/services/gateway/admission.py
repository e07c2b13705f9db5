"""Admission control: rate limits, kill switches and load shedding, in front of every route."""

from __future__ import annotations

import math
import threading
from functools import partial
from time import monotonic, perf_counter

from flask import Flask, g, request
from werkzeug.exceptions import HTTPException, ServiceUnavailable, TooManyRequests

from lab import names
from lab.services.gateway import flags
from lab.services.gateway.heavy_hitters import HeavyClients
from lab.services.gateway.priority import ANONYMOUS, PRIORITIES, priority_of
from lab.services.gateway.rate_limit import RateLimiter
from lab.services.gateway.state import State
from lab.services.gateway.store import Store
from lab.telemetry import spans
from lab.telemetry.http import log_field, route_template
from lab.telemetry.metrics import Counter, Gauge
from lab.telemetry.process import Telemetry


class AdmissionControl:
    """Admits or refuses requests: 429 over a rate limit, 503 for a route that is switched off or shed.

    Anonymous clients are shed with 429, which does not count against the availability SLOs.
    """

    def __init__(self, telemetry: Telemetry, store: Store, limiter: RateLimiter) -> None:
        self._store = store
        self._limiter = limiter
        self._lock = threading.Lock()
        self._inflight = 0
        self._heavy = HeavyClients()
        registry = telemetry.registry
        Gauge(names.GATEWAY_INFLIGHT, "Requests in flight.", registry=registry).set_function(lambda: self._inflight)
        self._limited = Counter(
            names.GATEWAY_RATELIMITED, "Requests refused by a rate limit.", ["scope"], registry=registry
        )
        self._shed = Counter(
            names.GATEWAY_SHED,
            "Requests shed because too many were in flight for their priority.",
            ["priority"],
            registry=registry,
        )
        self._by_priority = Counter(
            names.GATEWAY_PRIORITY_REQUESTS,
            "Requests within the rate limits, shed or not.",
            ["priority"],
            registry=registry,
        )
        self._by_client = Counter(
            names.GATEWAY_CLIENT_REQUESTS,
            'Requests by client and rate limit result; heavy clients by name, all others as "other".',
            ["client", "result"],
            registry=registry,
        )
        for scope in ("client", "global"):
            self._limited.labels(scope)
        limit = Gauge(
            names.GATEWAY_INFLIGHT_LIMIT,
            "Requests in flight at which the next one of this priority is shed.",
            ["priority"],
            registry=registry,
        )
        for priority in PRIORITIES:
            limit.labels(priority).set_function(partial(self._limit, priority))
            self._shed.labels(priority)
            self._by_priority.labels(priority)

    def init_app(self, app: Flask) -> None:
        """Checks every request to a known route of `app`."""
        app.before_request(self._admit)
        app.teardown_request(self._release)

    def _admit(self) -> None:
        if request.url_rule is None:
            return
        started, error = perf_counter(), ""
        try:
            self._check()
        except HTTPException as refusal:
            error = str(refusal.code)
            raise
        finally:
            spans.record("admission", started, error=error)

    def _check(self) -> None:
        client, now = client_id(), monotonic()
        scope, wait = self._limiter.take(client, now)
        self._by_client.labels(self._heavy.label(client, now), scope or "admitted").inc()
        if scope:
            self._limited.labels(scope).inc()
            raise TooManyRequests(f"over the {scope} quota", retry_after=max(1, math.ceil(wait)))
        priority = priority_of(request.method, route_template(), request.headers.get(names.HEADER_CLIENT_ID))
        self._by_priority.labels(priority).inc()
        state = self._store.state
        if off := _switched_off(state):
            raise ServiceUnavailable(f"{off} is switched off", retry_after=5)
        limit = state.shed.limit(priority)
        with self._lock:
            admitted = self._inflight < limit
            if admitted:
                self._inflight += 1
                g.admitted = True
        if not admitted:
            self._shed.labels(priority).inc()
            log_field("shed", priority)
            refuse = TooManyRequests if priority == ANONYMOUS else ServiceUnavailable
            raise refuse("too many requests in flight", retry_after=1)

    def _limit(self, priority: str) -> int:
        return self._store.state.shed.limit(priority)

    def _release(self, _problem: BaseException | None) -> None:
        if g.pop("admitted", False):
            with self._lock:
                self._inflight -= 1


def _switched_off(state: State) -> str:
    """The name of the flag that switches this route off; "" if none does."""
    if request.method == "PUT" and not state.flags[flags.PROFILE_WRITES]:
        return flags.PROFILE_WRITES
    if route_template() == names.ROUTE_FEED and not state.flags[flags.FEED]:
        return flags.FEED
    return ""


def client_id() -> str:
    """The client id from the request header, or else the remote address."""
    return (request.headers.get(names.HEADER_CLIENT_ID) or request.remote_addr or "")[:64]
