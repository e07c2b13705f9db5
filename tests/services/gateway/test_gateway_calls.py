"""The gateway's upstream calls: retries, circuit breakers, and the responses that clients get for failures."""

from __future__ import annotations

import socket
import threading

from gateway_support import Gateway, a_gateway
from support import free_port

from lab import names
from lab.services.feed.options import FeedOptions, read

gateway = a_gateway


def test_by_default_failed_calls_are_not_retried(gateway: Gateway) -> None:
    gateway.user.answer = lambda: ("{}", 503)
    assert gateway.client.get("/v1/users/7").status_code == 503
    assert len(gateway.user.seen) == 1


def test_failed_reads_are_retried_as_often_as_the_policy_allows_and_writes_never(gateway: Gateway) -> None:
    gateway.control("retry", {"max_retries": 3, "on": ["unavailable"]})
    answers = iter([("{}", 503), ("{}", 503), ("{}", 200)])
    gateway.user.answer = lambda: next(answers, ("{}", 503))
    assert gateway.client.get("/v1/users/7").status_code == 200
    assert len(gateway.user.seen) == 3
    assert gateway.metric(names.HTTP_CLIENT_RETRIES, upstream="user", cause="unavailable", outcome="failed") == 1
    assert gateway.metric(names.HTTP_CLIENT_RETRIES, upstream="user", cause="unavailable", outcome="answered") == 1
    assert gateway.client.put("/v1/users/7", json={"bio": "x"}).status_code == 503
    assert len(gateway.user.seen) == 4
    assert gateway.client.get("/v1/users/7").status_code == 503, "the last response is passed on if all attempts fail"
    assert len(gateway.user.seen) == 8


def test_a_call_that_timed_out_is_retried_if_the_policy_allows_it(gateway: Gateway) -> None:
    release = threading.Event()
    gateway.user.answer = lambda: ("{}", 200 if release.wait(10) else 500)
    gateway.control("timeouts", {"user": 0.2})
    gateway.control("retry", {"max_retries": 2, "on": ["timeout"]})
    assert gateway.client.get("/v1/users/7").status_code == 504
    assert len(gateway.user.seen) == 3
    release.set()


def test_retries_beyond_the_budget_are_not_made(gateway: Gateway) -> None:
    gateway.control("retry", {"max_retries": 3, "budget_ratio": 0, "on": ["unavailable"]})
    gateway.user.answer = lambda: ("{}", 503)
    for _ in range(30):
        gateway.client.get("/v1/users/7")
    labels = {"upstream": "user", "cause": "unavailable", "outcome": "over_budget"}
    over_budget = gateway.metric(names.HTTP_CLIENT_RETRIES, **labels)
    assert 30 < len(gateway.user.seen) <= 30 + 2 * 10, "a few retries per second are always allowed"
    assert (over_budget or 0) >= 20


def test_an_open_breaker_refuses_immediately_and_feeds_are_built_without_viewer_profile(gateway: Gateway) -> None:
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


def test_a_breaker_in_auto_mode_opens_automatically(gateway: Gateway) -> None:
    gateway.control("breakers", {"user": "auto"})
    gateway.user.answer = lambda: ("{}", 503)
    for _ in range(30):
        assert gateway.client.get("/v1/users/7").status_code == 503
    assert len(gateway.user.seen) == 10
    assert gateway.metric(names.BREAKER_STATE, upstream="user", state="open") == 1


def test_an_open_breaker_of_the_canary_routes_all_clients_to_stable(gateway: Gateway) -> None:
    gateway.control("canary", {"weight_percent": 100})
    gateway.control("breakers", {"feed-canary": "open"})
    assert gateway.client.get("/v1/feed/1").headers[names.HEADER_VERSION] == "1.0.0"


def test_feed_options_are_sent_to_the_feed_service(gateway: Gateway) -> None:
    gateway.control("flags/single-flight", {"enabled": True})
    gateway.control("flags/serve-stale", {"enabled": True})
    gateway.control("flags/feed-profiles", {"enabled": False})
    gateway.control("cache", {"feed_ttl_seconds": 600})
    gateway.client.get("/v1/feed/7", headers={"baggage": "feed.ttl_seconds=1"})
    received = read(gateway.stable.seen[0][3]["Baggage"])
    assert received == FeedOptions(profiles=False, serve_stale=True, single_flight=True, ttl_seconds=600)


def test_a_timeout_of_an_upstream_is_504(gateway: Gateway) -> None:
    release = threading.Event()
    gateway.user.answer = lambda: ("{}", 200 if release.wait(10) else 500)
    gateway.control("timeouts", {"user": 0.2})
    answer = gateway.client.get("/v1/users/7")
    release.set()
    assert answer.status_code == 504
    assert len(gateway.user.seen) == 1, "a slow request is not retried"


def test_an_unreachable_upstream_is_502(gateway: Gateway) -> None:
    gateway.control("upstreams/user", {"urls": [f"http://127.0.0.1:{free_port()}"]})
    assert gateway.client.get("/v1/users/7").status_code == 502
    gateway.control("upstreams/user", {"urls": []})
    assert gateway.client.get("/v1/users/7").status_code == 502


def test_a_dead_replica_causes_no_failed_request(gateway: Gateway) -> None:
    """Neither reads nor writes: with a refused connection, the request was certainly not processed."""
    dead = f"http://127.0.0.1:{free_port()}"
    gateway.control("upstreams/user", {"urls": [dead, gateway.user.url]})
    statuses = {gateway.client.get("/v1/users/7").status_code for _ in range(10)}
    statuses |= {gateway.client.put("/v1/users/7", json={"bio": "x"}).status_code for _ in range(10)}
    assert statuses == {200}
    assert len(gateway.user.seen) == 20


def test_a_dead_replica_is_ejected_for_a_moment(gateway: Gateway) -> None:
    gateway.control("upstreams/user", {"urls": [f"http://127.0.0.1:{free_port()}", gateway.user.url]})
    for _ in range(10):
        gateway.client.get("/v1/users/7")
    labels = {"upstream": "user", "upstream_instance": "", "http_request_method": "GET"}
    refused = gateway.metric(f"{names.HTTP_CLIENT_DURATION}_count", http_response_status_code="unreachable", **labels)
    assert 1 <= (refused or 0) <= 2


def test_a_write_whose_connection_broke_is_not_retried(gateway: Gateway) -> None:
    """It may have been processed, so the client must decide."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def break_off() -> None:
            client, _ = listener.accept()
            with client:
                received.append(client.recv(65536))

        threading.Thread(target=break_off, daemon=True).start()
        breaking = f"http://127.0.0.1:{listener.getsockname()[1]}"
        gateway.control("upstreams/user", {"urls": [breaking, gateway.user.url]})
        assert gateway.client.put("/v1/users/7", json={"bio": "x"}).status_code == 502
    assert len(received) == 1
    assert not gateway.user.seen
