"""What the gateway asks of others: what is sent again, when it stops asking, what a client is told when it fails."""

from __future__ import annotations

import socket
import threading

from gateway_support import Gateway, a_gateway
from support import free_port

from lab import names
from lab.services.feed.options import FeedOptions, read

gateway = a_gateway


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
