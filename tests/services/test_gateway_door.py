"""The door: who may pass, who is diverted, and what a client is told when an upstream fails."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, request
from flask.testing import FlaskClient
from services_support import TOKEN, MakeTelemetry
from support import eventually, free_port

from lab import names
from lab.services.feed.options import FeedOptions, read
from lab.services.gateway.admin import Controls, add_routes
from lab.services.gateway.app import create_app
from lab.services.gateway.limits import RateLimiter
from lab.services.gateway.split import to_canary
from lab.services.gateway.state import State, Store
from lab.services.upstream import ClientMetrics, Upstream
from lab.telemetry.process import Telemetry
from lab.telemetry.server import Server
from lab.telemetry.settings import Address

KNOWN = {names.HEADER_CLIENT_ID: "client-1"}


@dataclass
class Fake:
    """An upstream that remembers what it was asked and answers as it is told."""

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
    stable: Fake
    canary: Fake
    user: Fake

    def control(self, path: str, body: dict[str, Any], status: int = 200) -> Any:
        answer = self.admin.put(f"/admin/{path}", json=body, headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == status, answer.json
        return answer.json

    def state(self) -> Any:
        return self.admin.get("/admin/state", headers={"Authorization": f"Bearer {TOKEN}"}).json

    def metric(self, name: str, **labels: str) -> float | None:
        return self.telemetry.registry.get_sample_value(name, labels)


@pytest.fixture
def gateway(make_telemetry: MakeTelemetry, tmp_path: Path) -> Iterator[Gateway]:
    servers, fakes = [], []
    for version in ("1.0.0", "1.1.0", "0.1.0"):
        fake, address = Fake(version), Address("127.0.0.1", free_port())
        fake.url = f"http://{address}"
        server = Server(fake.app(), address, threads=4)
        server.run_in_thread(version)
        servers.append(server)
        fakes.append(fake)
    stable, canary, user = fakes
    telemetry = make_telemetry("gateway", "9.9.9")
    urls = {"user": (user.url,), "feed": (stable.url,), "feed-canary": (canary.url,)}
    store = Store(tmp_path / "state", State(upstreams=urls))
    metrics = ClientMetrics(telemetry.registry)
    upstreams = {name: Upstream(name, store.state.upstreams[name], 3.0, metrics) for name in urls}
    limiter = RateLimiter(store.state.ratelimit)
    admin = telemetry.admin_app()
    add_routes(admin, Controls(telemetry, store, limiter, upstreams))
    app = create_app(telemetry, store, limiter, upstreams)
    yield Gateway(app.test_client(), admin.test_client(), telemetry, stable, canary, user)
    for server in servers:
        server.drain(1)


def test_routes_go_by_template_and_answers_say_who_gave_them(gateway: Gateway) -> None:
    feed, user = gateway.client.get("/v1/feed/7"), gateway.client.get("/v1/users/7")
    assert (feed.headers[names.HEADER_VERSION], user.headers[names.HEADER_VERSION]) == ("1.0.0", "0.1.0")
    assert [seen[:2] for seen in gateway.stable.seen] == [("GET", "/v1/feed/7")]
    assert [seen[:2] for seen in gateway.user.seen] == [("GET", "/v1/users/7")]


def test_a_write_arrives_whole(gateway: Gateway) -> None:
    gateway.client.put("/v1/users/7", data=b'{"bio": "x"}', content_type="application/json")
    method, path, body, headers = gateway.user.seen[0]
    assert (method, path, body, headers["Content-Type"]) == ("PUT", "/v1/users/7", b'{"bio": "x"}', "application/json")


@pytest.mark.parametrize(
    "path", ["/", "/v1/feed/", "/v1/feed/x", "/v1/feed/-1", "/v2/feed/7", "/metrics", "/admin/state"]
)
def test_any_other_path_is_404_and_never_reaches_an_upstream(gateway: Gateway, path: str) -> None:
    answer = gateway.client.get(path)
    assert (answer.status_code, answer.json) == (404, {"error": "no such route"})
    assert not gateway.stable.seen + gateway.user.seen


def test_an_upstreams_refusal_is_passed_on(gateway: Gateway) -> None:
    gateway.user.answer = lambda: ('{"error": "no user 7"}', 404)
    answer = gateway.client.get("/v1/users/7")
    assert (answer.status_code, answer.json) == (404, {"error": "no user 7"})


def test_a_client_stays_with_its_version(gateway: Gateway) -> None:
    gateway.control("canary", {"weight_percent": 50})
    for number in range(40):
        client = f"client-{number}"
        versions = {
            gateway.client.get("/v1/feed/1", headers={"X-Client-Id": client}).headers[names.HEADER_VERSION]
            for _ in range(3)
        }
        assert versions == {"1.1.0" if to_canary(client, 50) else "1.0.0"}
    assert gateway.canary.seen
    assert gateway.metric(names.GATEWAY_CANARY_WEIGHT) == 0.5


def test_the_canary_switch_sends_everyone_to_stable_whatever_the_weight(gateway: Gateway) -> None:
    gateway.control("canary", {"weight_percent": 100})
    assert gateway.client.get("/v1/feed/1").headers[names.HEADER_VERSION] == "1.1.0"
    answer = gateway.control("flags/canary", {"enabled": False})
    assert (answer["old"]["enabled"], answer["new"]["enabled"]) == (True, False)
    assert gateway.client.get("/v1/feed/1").headers[names.HEADER_VERSION] == "1.0.0"
    assert gateway.metric(names.GATEWAY_CANARY_WEIGHT) == 0
    assert gateway.metric(names.FEATURE_FLAG_ENABLED, flag="canary") == 0


def test_writes_can_be_switched_off_while_reads_go_on(gateway: Gateway) -> None:
    gateway.control("flags/profile-writes", {"enabled": False})
    refused = gateway.client.put("/v1/users/7", json={"bio": "x"})
    assert refused.status_code == 503
    assert "Retry-After" in refused.headers
    assert gateway.client.get("/v1/users/7").status_code == 200
    assert [seen[0] for seen in gateway.user.seen] == ["GET"]


def test_the_feed_can_be_switched_off_alone(gateway: Gateway) -> None:
    gateway.control("flags/feed", {"enabled": False})
    assert gateway.client.get("/v1/feed/7").status_code == 503
    assert gateway.client.get("/v1/users/7").status_code == 200


def test_over_its_quota_a_client_is_told_when_to_come_back(gateway: Gateway) -> None:
    gateway.control("ratelimit", {"client_per_second": 1, "client_burst": 2})
    statuses = [gateway.client.get("/v1/users/7", headers={"X-Client-Id": "greedy"}) for _ in range(4)]
    assert [answer.status_code for answer in statuses] == [200, 200, 429, 429]
    assert int(statuses[-1].headers["Retry-After"]) >= 1
    assert gateway.client.get("/v1/users/7", headers={"X-Client-Id": "modest"}).status_code == 200
    assert gateway.metric(names.GATEWAY_RATELIMITED, scope="client") == 2


def test_the_shared_quota_holds_for_all(gateway: Gateway) -> None:
    gateway.control("ratelimit", {"global_per_second": 1, "global_burst": 2})
    statuses = [gateway.client.get("/v1/users/7", headers={"X-Client-Id": str(n)}).status_code for n in range(4)]
    assert statuses == [200, 200, 429, 429]
    assert gateway.metric(names.GATEWAY_RATELIMITED, scope="global") == 2


def test_beyond_its_limit_requests_are_shed_and_those_at_hand_are_finished(gateway: Gateway) -> None:
    release = threading.Event()
    gateway.user.answer = lambda: ("{}", 200 if release.wait(10) else 500)
    gateway.control("shed", {"max_inflight": 2})
    app = gateway.client.application
    at_hand: list[int] = []
    callers = [
        threading.Thread(target=lambda: at_hand.append(app.test_client().get("/v1/users/7", headers=KNOWN).status_code))
        for _ in range(2)
    ]
    for caller in callers:
        caller.start()
    eventually(lambda: gateway.metric(names.GATEWAY_INFLIGHT) == 2, "two are in flight")
    shed = gateway.client.get("/v1/feed/7", headers=KNOWN)
    assert (shed.status_code, shed.headers["Retry-After"]) == (503, "1")
    release.set()
    for caller in callers:
        caller.join(10)
    assert at_hand == [200, 200]
    assert gateway.metric(names.GATEWAY_INFLIGHT) == 0
    assert gateway.client.get("/v1/feed/7").status_code == 200
    assert gateway.metric(names.GATEWAY_SHED, priority="feed-read") == 1


def test_when_it_gets_full_the_lowest_priority_is_refused_first_and_a_guest_with_429(gateway: Gateway) -> None:
    """With room for nobody else, feed reads are still served; what else is refused says when to come back."""
    gateway.control("shed", {"max_inflight": 10, "user_read_ratio": 0, "write_ratio": 0, "guest_ratio": 0})
    asked = {
        "feed-read": gateway.client.get("/v1/feed/7", headers=KNOWN),
        "user-read": gateway.client.get("/v1/users/7", headers=KNOWN),
        "write": gateway.client.put("/v1/users/7", json={"bio": "x"}, headers=KNOWN),
        "guest": gateway.client.get("/v1/feed/7", headers={names.HEADER_CLIENT_ID: "guest-1"}),
    }
    assert {name: answer.status_code for name, answer in asked.items()} == {
        "feed-read": 200, "user-read": 503, "write": 503, "guest": 429,
    }  # fmt: skip
    assert all(answer.headers["Retry-After"] == "1" for answer in asked.values() if answer.status_code != 200)
    shed = {name: gateway.metric(names.GATEWAY_SHED, priority=name) for name in asked}
    asked = {name: gateway.metric(names.GATEWAY_PRIORITY_REQUESTS, priority=name) for name in shed}
    assert asked == dict.fromkeys(shed, 1)
    assert shed == {"feed-read": 0, "user-read": 1, "write": 1, "guest": 1}


def test_a_greedy_client_is_named_in_the_metrics_and_the_others_are_not(gateway: Gateway) -> None:
    gateway.control("ratelimit", {"client_per_second": 1, "client_burst": 12})
    greedy = {names.HEADER_CLIENT_ID: "greedy"}
    counted = names.GATEWAY_CLIENT_REQUESTS
    for _ in range(400):  # a bucket fills again while a slow machine asks
        gateway.client.get("/v1/users/7", headers=greedy)
        if (gateway.metric(counted, client="greedy", result="client") or 0) >= 5:
            break
    gateway.client.get("/v1/users/7", headers=KNOWN)
    assert gateway.metric(counted, client="greedy", result="client") == 5
    assert (gateway.metric(counted, client="other", result="admitted") or 0) >= 11
    assert gateway.metric(counted, client="client-1", result="admitted") is None


def test_by_default_neither_slow_nor_refused_calls_are_sent_again(gateway: Gateway) -> None:
    gateway.user.answer = lambda: ("{}", 503)
    assert gateway.client.get("/v1/users/7").status_code == 503
    assert len(gateway.user.seen) == 1


def test_reads_that_fail_are_sent_again_as_often_as_the_policy_says_and_writes_never(gateway: Gateway) -> None:
    gateway.control("retry", {"max_retries": 3, "on": ["unavailable"]})
    answers = iter([("{}", 503), ("{}", 503), ("{}", 200)])
    gateway.user.answer = lambda: next(answers, ("{}", 503))
    assert gateway.client.get("/v1/users/7").status_code == 200
    assert len(gateway.user.seen) == 3
    assert gateway.metric(names.HTTP_CLIENT_RETRIES, upstream="user", cause="unavailable", outcome="failed") == 1
    assert gateway.metric(names.HTTP_CLIENT_RETRIES, upstream="user", cause="unavailable", outcome="answered") == 1
    assert gateway.client.put("/v1/users/7", json={"bio": "x"}).status_code == 503
    assert len(gateway.user.seen) == 4
    assert gateway.client.get("/v1/users/7").status_code == 503, "the last answer is passed on when none is better"
    assert len(gateway.user.seen) == 8


def test_a_call_that_timed_out_is_sent_again_when_the_policy_says_so(gateway: Gateway) -> None:
    release = threading.Event()
    gateway.user.answer = lambda: ("{}", 200 if release.wait(10) else 500)
    gateway.control("timeouts", {"user": 0.2})
    gateway.control("retry", {"max_retries": 2, "on": ["timeout"]})
    assert gateway.client.get("/v1/users/7").status_code == 504
    assert len(gateway.user.seen) == 3
    release.set()


def test_a_retry_budget_holds_back_what_goes_beyond_it(gateway: Gateway) -> None:
    gateway.control("retry", {"max_retries": 3, "budget_ratio": 0, "on": ["unavailable"]})
    gateway.user.answer = lambda: ("{}", 503)
    for _ in range(30):
        gateway.client.get("/v1/users/7")
    labels = {"upstream": "user", "cause": "unavailable", "outcome": "over_budget"}
    held_back = gateway.metric(names.HTTP_CLIENT_RETRIES, **labels)
    assert 30 < len(gateway.user.seen) <= 30 + 2 * 10, "a few retries a second are always allowed"
    assert (held_back or 0) >= 20


def test_an_open_breaker_refuses_at_once_and_the_feed_does_without_its_viewer(gateway: Gateway) -> None:
    gateway.client.get("/v1/feed/7")
    gateway.control("breakers", {"user": "open"})
    refused = gateway.client.get("/v1/users/7")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert gateway.client.get("/v1/feed/7").status_code == 200
    assert not gateway.user.seen
    assert [seen[3].get("Baggage") for seen in gateway.stable.seen] == [None, "feed.profiles=0"]
    assert gateway.metric(names.BREAKER_REFUSED, upstream="user") == 1
    assert gateway.metric(names.BREAKER_STATE, upstream="user", state="open") == 1
    gateway.control("breakers", {"user": "off"})
    assert gateway.client.get("/v1/users/7").status_code == 200


def test_a_breaker_on_auto_opens_by_itself(gateway: Gateway) -> None:
    gateway.control("breakers", {"user": "auto"})
    gateway.user.answer = lambda: ("{}", 503)
    for _ in range(30):
        assert gateway.client.get("/v1/users/7").status_code == 503
    assert len(gateway.user.seen) == 10
    assert gateway.metric(names.BREAKER_STATE, upstream="user", state="open") == 1


def test_an_open_breaker_before_the_canary_sends_everyone_to_stable(gateway: Gateway) -> None:
    gateway.control("canary", {"weight_percent": 100})
    gateway.control("breakers", {"feed-canary": "open"})
    assert gateway.client.get("/v1/feed/1").headers[names.HEADER_VERSION] == "1.0.0"


def test_how_feeds_are_made_is_told_to_the_feed(gateway: Gateway) -> None:
    gateway.control("flags/single-flight", {"enabled": True})
    gateway.control("flags/serve-stale", {"enabled": True})
    gateway.control("flags/feed-profiles", {"enabled": False})
    gateway.control("cache", {"feed_ttl_seconds": 600})
    gateway.client.get("/v1/feed/7", headers={"baggage": "feed.ttl_seconds=1"})
    told = read(gateway.stable.seen[0][3]["Baggage"])
    assert told == FeedOptions(profiles=False, serve_stale=True, single_flight=True, ttl_seconds=600)


def test_an_upstream_that_does_not_answer_in_time_is_504(gateway: Gateway) -> None:
    release = threading.Event()
    gateway.user.answer = lambda: ("{}", 200 if release.wait(10) else 500)
    gateway.control("timeouts", {"user": 0.2})
    answer = gateway.client.get("/v1/users/7")
    release.set()
    assert answer.status_code == 504
    assert len(gateway.user.seen) == 1, "a slow request is not sent again"


def test_an_upstream_that_is_not_there_is_502(gateway: Gateway) -> None:
    gateway.control("upstreams/user", {"urls": [f"http://127.0.0.1:{free_port()}"]})
    assert gateway.client.get("/v1/users/7").status_code == 502
    gateway.control("upstreams/user", {"urls": []})
    assert gateway.client.get("/v1/users/7").status_code == 502


def test_a_dead_replica_costs_no_client_anything(gateway: Gateway) -> None:
    """Reads and writes alike: a refused connection was surely not begun."""
    dead = f"http://127.0.0.1:{free_port()}"
    gateway.control("upstreams/user", {"urls": [dead, gateway.user.url]})
    statuses = {gateway.client.get("/v1/users/7").status_code for _ in range(10)}
    statuses |= {gateway.client.put("/v1/users/7", json={"bio": "x"}).status_code for _ in range(10)}
    assert statuses == {200}
    assert len(gateway.user.seen) == 20


def test_a_dead_replica_is_left_out_for_a_moment(gateway: Gateway) -> None:
    gateway.control("upstreams/user", {"urls": [f"http://127.0.0.1:{free_port()}", gateway.user.url]})
    for _ in range(10):
        gateway.client.get("/v1/users/7")
    labels = {"upstream": "user", "upstream_instance": "", "http_request_method": "GET"}
    refused = gateway.metric(f"{names.HTTP_CLIENT_DURATION}_count", http_response_status_code="unreachable", **labels)
    assert 1 <= (refused or 0) <= 2


def test_a_write_whose_connection_broke_is_not_sent_twice(gateway: Gateway) -> None:
    """It may have been done: the client must decide."""
    taken: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def break_off() -> None:
            client, _ = listener.accept()
            with client:
                taken.append(client.recv(65536))

        threading.Thread(target=break_off, daemon=True).start()
        breaking = f"http://127.0.0.1:{listener.getsockname()[1]}"
        gateway.control("upstreams/user", {"urls": [breaking, gateway.user.url]})
        assert gateway.client.put("/v1/users/7", json={"bio": "x"}).status_code == 502
    assert len(taken) == 1
    assert not gateway.user.seen


@pytest.mark.parametrize(
    ("path", "body", "status", "named"),
    [
        ("canary", {"weight_percent": 101}, 400, "weight_percent"),
        ("canary", {"weight": 1}, 400, "weight"),
        ("flags/nothing", {"enabled": False}, 404, "nothing"),
        ("flags/feed", {"enabled": "off"}, 400, "enabled"),
        ("upstreams/db", {"urls": []}, 404, "db"),
        ("upstreams/feed", {"urls": "http://127.0.0.1:1"}, 400, "urls"),
        ("upstreams/feed", {"urls": ["ftp://x:1"]}, 400, "ftp://x:1"),
        ("ratelimit", {"burst": 3}, 400, "burst"),
        ("shed", {"max_inflight": 0}, 400, "max_inflight"),
        ("timeouts", {"feed": "fast"}, 400, "feed"),
        ("retry", {"max_retries": 9}, 400, "max_retries"),
        ("breakers", {"db": "open"}, 400, "db"),
        ("cache", {"user_ttl_seconds": 9}, 400, "user_ttl_seconds"),
        ("nothing", {}, 404, "no such route"),
    ],
)
def test_a_refused_change_names_what_is_wrong_and_changes_nothing(
    gateway: Gateway, path: str, body: dict[str, Any], status: int, named: str
) -> None:
    before = gateway.state()
    assert named in gateway.control(path, body, status)["error"]
    assert gateway.state() == before


def test_the_state_is_what_the_contract_says(gateway: Gateway) -> None:
    state = gateway.state()
    assert state["canary"] == {"weight_percent": 0}
    assert {name: flag["enabled"] for name, flag in state["flags"].items()} == {
        "canary": True, "feed": True, "feed-profiles": True, "profile-writes": True,
        "serve-stale": False, "single-flight": False,
    }  # fmt: skip
    assert all(flag["help"] for flag in state["flags"].values())
    assert state["retry"] == {"max_retries": 1, "budget_ratio": 5, "on": ["unreachable"]}
    assert set(state["breakers"].values()) == {"off"}
    assert set(state["ratelimit"]) == {"global_per_second", "global_burst", "client_per_second", "client_burst"}
    assert state["upstreams"]["feed"] == [gateway.stable.url]
