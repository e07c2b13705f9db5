"""The delay proxy delays the bytes of a connection and otherwise changes nothing."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from services_support import Process
from support import eventually, free_port

from lab import names

DELAY_SECONDS = 0.02


class Echo:
    """An echo server that sends BYE when the client has closed its sending direction."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                while data := client.recv(65536):
                    client.sendall(data)
                client.sendall(b"BYE")
            except OSError:
                pass
        self.ended.set()

    def close(self) -> None:
        self.listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def link(echo: Echo, tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path, "link-db")
    variables = {names.ENV_LINK_UPSTREAM: f"127.0.0.1:{echo.port}", names.ENV_LINK_DELAY: str(DELAY_SECONDS)}
    with process.run("lab.services.link", **variables):
        yield process


def connect(link: Process) -> socket.socket:
    host, _, port = link.public.rpartition(":")
    client = socket.create_connection((host, int(port)), timeout=10)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def receive(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := client.recv(65536)):
        data += part
    return data


def closed(client: socket.socket) -> bool:
    """Whether the peer has closed the connection."""
    try:
        client.sendall(b"x")
        return client.recv(1) == b""
    except OSError:
        return True


def shortest_round_trip(client: socket.socket, times: int = 5) -> float:
    durations = []
    for _ in range(times):
        started = time.perf_counter()
        client.sendall(b"x")
        assert receive(client, 1) == b"x"
        durations.append(time.perf_counter() - started)
    return min(durations)


def test_every_round_trip_takes_the_base_delay(link: Process) -> None:
    with connect(link) as client:
        assert DELAY_SECONDS <= shortest_round_trip(client) < DELAY_SECONDS + 0.05


def test_extra_delay_applies_to_open_connections_and_can_be_removed(link: Process) -> None:
    with connect(link) as client:
        shortest_round_trip(client, 1)
        answer = link.control("PUT", "/admin/delay", {"extra_delay_seconds": 0.2})
        assert answer == {"old": {"extra_delay_seconds": 0.0}, "new": {"extra_delay_seconds": 0.2}}
        assert shortest_round_trip(client, 2) >= DELAY_SECONDS + 0.2
        link.control("PUT", "/admin/delay", {"extra_delay_seconds": 0})
        assert shortest_round_trip(client) < DELAY_SECONDS + 0.1


@pytest.mark.parametrize("body", [{"extra_delay_seconds": -1}, {"extra_delay_seconds": 1e9}, {"delay": 1}, {}])
def test_a_refused_delay_changes_nothing(link: Process, body: dict[str, Any]) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        link.control("PUT", "/admin/delay", body)
    assert refused.value.code == 400
    assert link.control("GET", "/admin/state")["extra_delay_seconds"] == 0


def test_a_megabyte_arrives_in_order(link: Process) -> None:
    data = b"".join(number.to_bytes(4) for number in range(250_000))
    with connect(link) as client:
        threading.Thread(target=client.sendall, args=(data,), daemon=True).start()
        assert receive(client, len(data)) == data


def test_a_half_closed_client_still_receives_the_response(link: Process, echo: Echo) -> None:
    with connect(link) as client:
        client.sendall(b"last bytes")
        client.shutdown(socket.SHUT_WR)
        assert receive(client, 99) == b"last bytesBYE"
    assert echo.ended.wait(10)


def test_closed_connections_are_not_kept(link: Process, echo: Echo) -> None:
    for _ in range(5):
        with connect(link) as client:
            client.sendall(b"x")
            receive(client, 1)
    assert echo.ended.wait(10)

    def none_open() -> bool:
        text = urllib.request.urlopen(f"http://{link.admin}/metrics", timeout=5).read().decode()
        return "\nlink_connections 0.0\n" in text

    eventually(none_open, "the link has no connection")


def test_without_its_upstream_the_link_closes_clients_and_recovers_when_it_is_back(tmp_path: Path) -> None:
    process = Process(tmp_path, "link-db")
    port = free_port()
    with process.run("lab.services.link", **{names.ENV_LINK_UPSTREAM: f"127.0.0.1:{port}"}):
        with connect(process) as client:
            assert closed(client)
        with socket.create_server(("127.0.0.1", port)) as upstream, connect(process) as client:
            client.sendall(b"now")
            server_side, _ = upstream.accept()
            with server_side:
                server_side.settimeout(10)
                assert receive(server_side, 3) == b"now"
