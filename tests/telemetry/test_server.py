"""The WSGI server over real sockets: many connections, slow clients, resets and idle connections."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pytest
from flask import Flask
from support import eventually, free_port

from lab.paths import LOOPBACK
from lab.telemetry import server as module
from lab.telemetry.server import Server
from lab.telemetry.settings import Address

BIG_BYTES = 24_000_000
REQUEST = b"GET /held HTTP/1.1\r\nHost: lab\r\n\r\n"


@dataclass
class Running:
    """A server with two threads whose requests to /held wait until `release` is set."""

    port: int
    server: Server
    release: threading.Event = field(default_factory=threading.Event)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(LOOPBACK, self.port, timeout=20)

    def socket(self) -> socket.socket:
        return socket.create_connection((LOOPBACK, self.port), timeout=20)


def text(connection: http.client.HTTPConnection, path: str) -> str:
    connection.request("GET", path)
    return connection.getresponse().read().decode()


@pytest.fixture
def running() -> Iterator[Running]:
    app = Flask("server", static_folder=None)
    port = free_port()
    started = Running(port, Server(app, Address(LOOPBACK, port), threads=2))

    @app.get("/held")
    def held() -> str:
        started.release.wait(20)
        return "held"

    @app.get("/quick")
    def quick() -> str:
        return "quick"

    @app.get("/big")
    def big() -> bytes:
        return b"x" * BIG_BYTES

    started.server.run_in_thread("server")
    yield started
    started.release.set()
    started.server.drain(5)


def test_requests_beyond_the_threads_are_queued_and_connections_are_reused(running: Running) -> None:
    connections = [running.connect() for _ in range(40)]
    for connection in connections:
        connection.request("GET", "/held")
    eventually(lambda: (running.server.busy, running.server.waiting) == (2, 38), "38 queued requests")
    running.release.set()
    assert [connection.getresponse().read() for connection in connections] == [b"held"] * 40
    assert [text(connection, "/quick") for connection in connections] == ["quick"] * 40


def test_a_response_larger_than_the_socket_buffer_arrives_complete(running: Running) -> None:
    with closing(running.connect()) as connection:
        connection.request("GET", "/big")
        answer = connection.getresponse()
        assert text(running.connect(), "/quick") == "quick"
        assert len(answer.read()) == BIG_BYTES
        assert text(connection, "/quick") == "quick"


def test_pipelined_requests_are_answered_in_order(running: Running) -> None:
    running.release.set()
    with closing(running.socket()) as sock:
        sock.sendall(REQUEST * 3 + REQUEST.replace(b"Host", b"Connection: close\r\nHost"))
        received = b"".join(iter(lambda: sock.recv(65536), b""))
    assert received.count(b"HTTP/1.1 200 OK") == received.count(b"held") == 4


def test_a_client_that_disconnects_while_queued_does_not_affect_others(running: Running) -> None:
    for _ in range(10):
        with closing(running.socket()) as sock:
            sock.sendall(REQUEST)
            eventually(lambda: running.server.busy > 0, "a request in progress")
    running.release.set()
    assert text(running.connect(), "/quick") == "quick"
    eventually(lambda: len(running.server._map) <= 3, "only the listening socket, the trigger and one client")


def test_a_client_that_resets_during_its_last_response_closes_only_its_own_connection(running: Running) -> None:
    """waitress closes such a connection twice: when a write fails, and when nothing is left to write."""
    with closing(running.socket()) as sock:
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
        assert sock.recv(1) == b"H"
        eventually(lambda: running.server.busy == 0, "a response that waits for its reader")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert text(running.connect(), "/quick") == "quick"
    eventually(lambda: len(running.server._map) <= 3, "only the listening socket, the trigger and one client")


def test_an_idle_connection_is_closed_and_one_that_waits_for_a_response_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "IDLE_CONNECTION_SECONDS", 3)
    app, release, port = Flask("server", static_folder=None), threading.Event(), free_port()
    app.get("/held")(lambda: str(release.wait(20)))
    server = Server(app, Address(LOOPBACK, port), threads=1)
    server.run_in_thread("server")
    with (
        closing(socket.create_connection((LOOPBACK, port), timeout=20)) as idle,
        closing(socket.create_connection((LOOPBACK, port), timeout=20)) as waiting,
    ):
        waiting.sendall(REQUEST)
        assert idle.recv(1) == b""
        release.set()
        assert waiting.recv(65536).startswith(b"HTTP/1.1 200 OK")
    server.drain(5)


def test_idle_connections_are_not_checked_on_every_iteration(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is checked once a second, however often the loop runs for the others."""
    checks = 0
    readable = module._Channel.readable

    def counting(channel: module._Channel) -> bool:
        nonlocal checks
        checks += 1
        return bool(readable(channel))

    idle = [running.socket() for _ in range(300)]
    eventually(lambda: len(running.server._map) == 302, "300 connections")
    monkeypatch.setattr(module._Channel, "readable", counting)
    with closing(running.connect()) as connection:
        assert [text(connection, "/quick") for _ in range(500)] == ["quick"] * 500
    assert 500 <= checks < 500 * 300 / 5
    for sock in idle:
        sock.close()
