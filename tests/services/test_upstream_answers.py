"""An invalid response of an upstream is a 502; a 4xx response is passed on and does not count as a failure."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from gateway_support import Gateway, a_gateway
from services_support import MakeTelemetry

from lab import names
from lab.services.feed.profiles import Profiles
from lab.services.upstream import ClientMetrics, Upstream

gateway = a_gateway
Serve = Callable[[bytes], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers that answer every connection with the given bytes; returns their URLs."""
    listeners = []

    def start(answer: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with closing(client):
                    client.recv(65536)
                    client.sendall(answer)

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 999 ?\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"",
    ],
)
def test_an_invalid_response_is_a_502_with_one_line(gateway: Gateway, serve: Serve, answer: bytes) -> None:
    gateway.control("upstreams/user", {"urls": [serve(answer)]})
    response = gateway.client.get("/v1/users/7")
    assert response.status_code == 502
    assert response.json is not None
    assert "\n" not in response.json["error"]


@pytest.mark.parametrize("status", [400, 404, 413, 415, 429])
def test_a_4xx_response_is_passed_on_without_a_retry_or_a_failure(gateway: Gateway, status: int) -> None:
    gateway.control("retry", {"max_retries": 5, "on": ["unreachable", "timeout", "unavailable"]})
    gateway.control("breakers", {"user": "auto"})
    gateway.user.answer = lambda: ('{"error": "no"}', status)
    for _ in range(30):
        assert gateway.client.get("/v1/users/7").status_code == status
    assert len(gateway.user.seen) == 30
    assert gateway.metric(names.BREAKER_STATE, upstream="user", state="closed") == 1


@pytest.mark.parametrize(
    "body",
    [b"[" * 9000, b"{", b"[]", b"{}", b'{"handle": "a"}', b"\xff", b'{"handle": "a", "display_name": "\\ud800"}'],
)
def test_an_invalid_viewer_profile_is_ignored(serve: Serve, make_telemetry: MakeTelemetry, body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    upstream = Upstream("user", [serve(head + body)], 1.0, ClientMetrics(make_telemetry("feed").registry))
    profile: Any = Profiles(upstream).brief(7)
    assert profile is None
    upstream.close()
