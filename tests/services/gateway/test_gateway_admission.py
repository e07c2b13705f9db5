"""The gateway's public API: routing, canary split, kill switches, rate limits and load shedding."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from gateway_support import KNOWN, Gateway, a_gateway
from support import eventually

from lab import names
from lab.services.gateway.canary_split import to_canary
from lab.services.gateway.priority import PRIORITIES

gateway = a_gateway


def test_requests_are_routed_by_template_and_responses_name_the_version(gateway: Gateway) -> None:
    feed, user = gateway.client.get("/v1/feed/7"), gateway.client.get("/v1/users/7")
    assert (feed.headers[names.HEADER_VERSION], user.headers[names.HEADER_VERSION]) == ("1.0.0", "0.1.0")
    assert [seen[:2] for seen in gateway.stable.seen] == [("GET", "/v1/feed/7")]
    assert [seen[:2] for seen in gateway.user.seen] == [("GET", "/v1/users/7")]


def test_a_write_is_forwarded_unchanged(gateway: Gateway) -> None:
    gateway.client.put("/v1/users/7", data=b'{"bio": "x"}', content_type="application/json")
    method, path, body, headers = gateway.user.seen[0]
    assert (method, path, body, headers["Content-Type"]) == ("PUT", "/v1/users/7", b'{"bio": "x"}', "application/json")


@pytest.mark.parametrize(
    "path", ["/", "/v1/feed/", "/v1/feed/x", "/v1/feed/-1", "/v2/feed/7", "/metrics", "/admin/state"]
)
def test_any_other_path_is_404_and_not_forwarded(gateway: Gateway, path: str) -> None:
    answer = gateway.client.get(path)
    assert (answer.status_code, answer.json) == (404, {"error": "no such route"})
    assert not gateway.stable.seen + gateway.user.seen


def test_a_4xx_response_of_an_upstream_is_passed_on(gateway: Gateway) -> None:
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


def test_the_canary_kill_switch_routes_all_clients_to_stable_at_any_weight(gateway: Gateway) -> None:
    gateway.control("canary", {"weight_percent": 100})
    assert gateway.client.get("/v1/feed/1").headers[names.HEADER_VERSION] == "1.1.0"
    answer = gateway.control("flags/canary", {"enabled": False})
    assert (answer["old"]["enabled"], answer["new"]["enabled"]) == (True, False)
    assert gateway.client.get("/v1/feed/1").headers[names.HEADER_VERSION] == "1.0.0"
    assert gateway.metric(names.GATEWAY_CANARY_WEIGHT) == 0
    assert gateway.metric(names.FEATURE_FLAG_ENABLED, flag="canary") == 0


def test_writes_can_be_switched_off_while_reads_continue(gateway: Gateway) -> None:
    gateway.control("flags/profile-writes", {"enabled": False})
    refused = gateway.client.put("/v1/users/7", json={"bio": "x"})
    assert refused.status_code == 503
    assert "Retry-After" in refused.headers
    assert gateway.client.get("/v1/users/7").status_code == 200
    assert [seen[0] for seen in gateway.user.seen] == ["GET"]


def test_the_feed_alone_can_be_switched_off(gateway: Gateway) -> None:
    gateway.control("flags/feed", {"enabled": False})
    assert gateway.client.get("/v1/feed/7").status_code == 503
    assert gateway.client.get("/v1/users/7").status_code == 200


def test_a_client_over_its_limit_gets_429_with_retry_after(gateway: Gateway) -> None:
    gateway.control("ratelimit", {"client_per_second": 1, "client_burst": 2})
    statuses = [gateway.client.get("/v1/users/7", headers={"X-Client-Id": "greedy"}) for _ in range(4)]
    assert [answer.status_code for answer in statuses] == [200, 200, 429, 429]
    assert int(statuses[-1].headers["Retry-After"]) >= 1
    assert gateway.client.get("/v1/users/7", headers={"X-Client-Id": "modest"}).status_code == 200
    assert gateway.metric(names.GATEWAY_RATELIMITED, scope="client") == 2


def test_the_global_limit_applies_to_all_clients(gateway: Gateway) -> None:
    gateway.control("ratelimit", {"global_per_second": 1, "global_burst": 2})
    statuses = [gateway.client.get("/v1/users/7", headers={"X-Client-Id": str(n)}).status_code for n in range(4)]
    assert statuses == [200, 200, 429, 429]
    assert gateway.metric(names.GATEWAY_RATELIMITED, scope="global") == 2


def test_requests_over_the_limit_are_shed_and_those_in_flight_complete(gateway: Gateway) -> None:
    release = threading.Event()
    gateway.user.answer = lambda: ("{}", 200 if release.wait(10) else 500)
    gateway.control("shed", {"max_inflight": 2})
    app = gateway.client.application
    statuses: list[int] = []

    def read_user() -> None:
        statuses.append(app.test_client().get("/v1/users/7", headers=KNOWN).status_code)

    callers = [threading.Thread(target=read_user) for _ in range(2)]
    for caller in callers:
        caller.start()
    eventually(lambda: gateway.metric(names.GATEWAY_INFLIGHT) == 2, "two requests are in flight")
    shed = gateway.client.get("/v1/feed/7", headers=KNOWN)
    assert (shed.status_code, shed.headers["Retry-After"]) == (503, "1")
    release.set()
    for caller in callers:
        caller.join(10)
    assert statuses == [200, 200]
    assert gateway.metric(names.GATEWAY_INFLIGHT) == 0
    assert gateway.client.get("/v1/feed/7").status_code == 200
    assert gateway.metric(names.GATEWAY_SHED, priority="feed-read") == 1


def test_lower_priorities_are_shed_first_and_anonymous_clients_with_429(gateway: Gateway) -> None:
    """With no capacity for other priorities, feed reads are still served; refusals have Retry-After."""
    gateway.control("shed", {"max_inflight": 10, "user_read_ratio": 0, "write_ratio": 0, "guest_ratio": 0})
    responses = {
        "feed-read": gateway.client.get("/v1/feed/7", headers=KNOWN),
        "user-read": gateway.client.get("/v1/users/7", headers=KNOWN),
        "write": gateway.client.put("/v1/users/7", json={"bio": "x"}, headers=KNOWN),
        "guest": gateway.client.get("/v1/feed/7", headers={names.HEADER_CLIENT_ID: "guest-1"}),
    }
    assert {name: answer.status_code for name, answer in responses.items()} == {
        "feed-read": 200, "user-read": 503, "write": 503, "guest": 429,
    }  # fmt: skip
    assert all(answer.headers["Retry-After"] == "1" for answer in responses.values() if answer.status_code != 200)
    shed = {name: gateway.metric(names.GATEWAY_SHED, priority=name) for name in responses}
    counted = {name: gateway.metric(names.GATEWAY_PRIORITY_REQUESTS, priority=name) for name in responses}
    assert counted == dict.fromkeys(shed, 1)
    assert shed == {"feed-read": 0, "user-read": 1, "write": 1, "guest": 1}


def test_the_limit_of_each_priority_is_exported_and_follows_the_settings(gateway: Gateway) -> None:
    def limits() -> dict[str, float | None]:
        return {name: gateway.metric(names.GATEWAY_INFLIGHT_LIMIT, priority=name) for name in PRIORITIES}

    assert limits() == {"feed-read": 160, "user-read": 152, "write": 144, "guest": 80}
    gateway.control("shed", {"max_inflight": 10, "write_ratio": 0.05})
    assert limits() == {"feed-read": 10, "user-read": 10, "write": 1, "guest": 5}


def test_a_heavy_client_is_named_in_metrics_and_others_are_not(gateway: Gateway) -> None:
    gateway.control("ratelimit", {"client_per_second": 1, "client_burst": 12})
    greedy = {names.HEADER_CLIENT_ID: "greedy"}
    counted = names.GATEWAY_CLIENT_REQUESTS
    for _ in range(400):  # on a slow machine the bucket refills between requests
        gateway.client.get("/v1/users/7", headers=greedy)
        if (gateway.metric(counted, client="greedy", result="client") or 0) >= 5:
            break
    gateway.client.get("/v1/users/7", headers=KNOWN)
    assert gateway.metric(counted, client="greedy", result="client") == 5
    assert (gateway.metric(counted, client="other", result="admitted") or 0) >= 11
    assert gateway.metric(counted, client="client-1", result="admitted") is None


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
def test_an_invalid_change_is_refused_with_the_reason_and_changes_nothing(
    gateway: Gateway, path: str, body: dict[str, Any], status: int, named: str
) -> None:
    before = gateway.state()
    assert named in gateway.control(path, body, status)["error"]
    assert gateway.state() == before


@pytest.mark.parametrize("status", ["500", "502", "503", "504"])
@pytest.mark.parametrize(("method", "route"), [("GET", "feed"), ("GET", "user"), ("PUT", "user")])
def test_every_server_error_is_exported_before_the_first_one(
    gateway: Gateway, method: str, route: str, status: str
) -> None:
    labels = {names.LABEL_METHOD: method, names.LABEL_ROUTE: names.ROUTES[route], names.LABEL_STATUS: status}
    assert gateway.metric(f"{names.HTTP_SERVER_DURATION}_count", service_version="9.9.9", **labels) == 0


def test_the_initial_state_has_the_documented_defaults(gateway: Gateway) -> None:
    state = gateway.state()
    assert state["canary"] == {"weight_percent": 0, "salt": ""}
    assert state["comparison"] == {"step": "", "slos": {}, "replica": None}
    assert {name: flag["enabled"] for name, flag in state["flags"].items()} == {
        "canary": True, "feed": True, "feed-profiles": True, "profile-writes": True,
        "serve-stale": False, "single-flight": False,
    }  # fmt: skip
    assert all(flag["help"] for flag in state["flags"].values())
    assert state["retry"] == {"max_retries": 1, "budget_ratio": 5, "on": ["unreachable"]}
    assert set(state["breakers"].values()) == {"off"}
    assert set(state["ratelimit"]) == {"global_per_second", "global_burst", "client_per_second", "client_burst"}
    assert state["upstreams"]["feed"] == [gateway.stable.url]
