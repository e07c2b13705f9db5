"""A gateway in this process with fake upstreams whose responses a test sets."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, request
from flask.testing import FlaskClient
from services_support import TOKEN, MakeTelemetry
from support import free_port

from lab import names
from lab.services.gateway.admin import Controls, add_routes
from lab.services.gateway.app import create_app
from lab.services.gateway.comparison import Comparison
from lab.services.gateway.rate_limit import RateLimiter
from lab.services.gateway.state import State
from lab.services.gateway.store import Store
from lab.services.upstream import ClientMetrics, Upstream
from lab.telemetry.process import Telemetry
from lab.telemetry.server import Server
from lab.telemetry.settings import Address

KNOWN = {names.HEADER_CLIENT_ID: "client-1"}


@dataclass
class FakeUpstream:
    """An upstream that records requests and returns the response that a test sets."""

    version: str
    url: str = ""
    seen: list[tuple[str, str, bytes, dict[str, str]]] = field(default_factory=list)
    answer: Callable[[], tuple[str, int]] = lambda: ("{}", 200)

    def app(self) -> Flask:
        app = Flask(self.version)

        @app.route("/<path:path>", methods=["GET", "PUT"])
        def anything(path: str) -> Response:
            self.seen.append((request.method, f"/{path}", request.get_data(), dict(request.headers)))
            body, status = self.answer()
            response = Response(body, status, content_type="application/json")
            response.headers[names.HEADER_VERSION] = self.version
            return response

        return app


@dataclass
class Gateway:
    client: FlaskClient
    admin: FlaskClient
    telemetry: Telemetry
    stable: FakeUpstream
    canary: FakeUpstream
    user: FakeUpstream

    def control(self, path: str, body: dict[str, Any], status: int = 200) -> Any:
        answer = self.admin.put(f"/admin/{path}", json=body, headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == status, answer.json
        return answer.json

    def state(self) -> Any:
        return self.admin.get("/admin/state", headers={"Authorization": f"Bearer {TOKEN}"}).json

    def metric(self, name: str, **labels: str) -> float | None:
        return self.telemetry.registry.get_sample_value(name, labels)


@cache
def _fakes() -> tuple[FakeUpstream, FakeUpstream, FakeUpstream]:
    """The upstreams, started once: to stop three servers after each test takes longer than the tests."""
    fakes = [FakeUpstream(version) for version in ("1.0.0", "1.1.0", "0.1.0")]
    for fake in fakes:
        address = Address("127.0.0.1", free_port())
        fake.url = f"http://{address}"
        server = Server(fake.app(), address, threads=4)
        server.run_in_thread(fake.version)
        atexit.register(server.drain, 1)
    stable, canary, user = fakes
    return stable, canary, user


@pytest.fixture
def a_gateway(make_telemetry: MakeTelemetry, tmp_path: Path) -> Iterator[Gateway]:
    stable, canary, user = _fakes()
    for fake in (stable, canary, user):
        fake.seen.clear()
        fake.answer = FakeUpstream.answer
    telemetry = make_telemetry("gateway", "9.9.9")
    urls: dict[str, tuple[str, ...]] = {"user": (user.url,), "feed": (stable.url,), "feed-canary": (canary.url,)}
    store = Store(tmp_path / "state", State(upstreams=urls))
    metrics = ClientMetrics(telemetry.registry)
    upstreams = {name: Upstream(name, store.state.upstreams[name], 3.0, metrics) for name in urls}
    limiter = RateLimiter(store.state.ratelimit)
    admin = telemetry.admin_app()
    comparison = Comparison()
    add_routes(admin, Controls(telemetry, store, limiter, upstreams, comparison))
    app = create_app(telemetry, store, limiter, upstreams, comparison)
    yield Gateway(app.test_client(), admin.test_client(), telemetry, stable, canary, user)
    for upstream in upstreams.values():
        upstream.close()
