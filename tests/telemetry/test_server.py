"""The WSGI server over real sockets: one connection or a thousand, quick or slow, it answers all and looks at few."""

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
ASK = b"GET /held HTTP/1.1\r\nHost: lab\r\n\r\n"


@dataclass
class Running:
    """A server with two threads and a door that holds requests for as long as it is shut."""

    port: int
    server: Server
    door: threading.Event = field(default_factory=threading.Event)

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
        started.door.wait(20)
        return "held"

    @app.get("/quick")
    def quick() -> str:
        return "quick"

    @app.get("/big")
    def big() -> bytes:
        return b"x" * BIG_BYTES

    started.server.run_in_thread("server")
    yield started
    started.door.set()
    started.server.drain(5)


def test_requests_beyond_the_threads_wait_and_each_connection_is_used_again(running: Running) -> None:
    connections = [running.connect() for _ in range(40)]
    for connection in connections:
        connection.request("GET", "/held")
    eventually(lambda: (running.server.busy, running.server.waiting) == (2, 38), "38 requests that wait")
    running.door.set()
    assert [connection.getresponse().read() for connection in connections] == [b"held"] * 40
    assert [text(connection, "/quick") for connection in connections] == ["quick"] * 40


def test_an_answer_larger_than_what_the_socket_takes_arrives_whole(running: Running) -> None:
    with closing(running.connect()) as connection:
        connection.request("GET", "/big")
        answer = connection.getresponse()
        assert text(running.connect(), "/quick") == "quick"
        assert len(answer.read()) == BIG_BYTES
        assert text(connection, "/quick") == "quick"


def test_requests_sent_at_once_on_one_connection_are_answered_in_turn(running: Running) -> None:
    running.door.set()
    with closing(running.socket()) as sock:
        sock.sendall(ASK * 3 + ASK.replace(b"Host", b"Connection: close\r\nHost"))
        received = b"".join(iter(lambda: sock.recv(65536), b""))
    assert received.count(b"HTTP/1.1 200 OK") == received.count(b"held") == 4


def test_a_client_that_left_before_its_turn_costs_nobody_else_anything(running: Running) -> None:
    for _ in range(10):
        with closing(running.socket()) as sock:
            sock.sendall(ASK)
            eventually(lambda: running.server.busy > 0, "a request that is held")
    running.door.set()
    assert text(running.connect(), "/quick") == "quick"
    eventually(lambda: len(running.server._map) <= 3, "only the door, the alarm clock and one client")


def test_a_client_that_resets_in_the_midst_of_its_last_answer_ends_only_its_own_connection(running: Running) -> None:
    """waitress closes such a connection twice: when it cannot write, and since nothing is left to be written."""
    with closing(running.socket()) as sock:
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
        assert sock.recv(1) == b"H"
        eventually(lambda: running.server.busy == 0, "an answer that waits only for its reader")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert text(running.connect(), "/quick") == "quick"
    eventually(lambda: len(running.server._map) <= 3, "only the door, the alarm clock and one client")


def test_a_connection_that_says_nothing_is_closed_and_one_that_waits_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "IDLE_CONNECTION_SECONDS", 3)
    app, door, port = Flask("server", static_folder=None), threading.Event(), free_port()
    app.get("/held")(lambda: str(door.wait(20)))
    server = Server(app, Address(LOOPBACK, port), threads=1)
    server.run_in_thread("server")
    with (
        closing(socket.create_connection((LOOPBACK, port), timeout=20)) as silent,
        closing(socket.create_connection((LOOPBACK, port), timeout=20)) as patient,
    ):
        patient.sendall(ASK)
        assert silent.recv(1) == b""
        door.set()
        assert patient.recv(65536).startswith(b"HTTP/1.1 200 OK")
    server.drain(5)


def test_connections_that_want_nothing_are_not_asked_at_every_turn(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each of them waits for is asked once a second, however many turns the loop takes for the others."""
    asked = 0
    readable = module._Channel.readable

    def counting(channel: module._Channel) -> bool:
        nonlocal asked
        asked += 1
        return bool(readable(channel))

    idle = [running.socket() for _ in range(300)]
    eventually(lambda: len(running.server._map) == 302, "300 connections")
    monkeypatch.setattr(module._Channel, "readable", counting)
    with closing(running.connect()) as connection:
        assert [text(connection, "/quick") for _ in range(500)] == ["quick"] * 500
    assert 500 <= asked < 500 * 300 / 5
    for sock in idle:
        sock.close()
