"""Which replicas the gateway is told to ask, and by which port, whatever else is scaled or drained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import JsonServer

from lab.errors import NotRunning, UsageError
from lab.paths import Home, Ports
from lab.stack import replicas, state


class Admin:
    """The gateway's upstreams as it was last told them."""

    def __init__(self) -> None:
        self.told: dict[str, list[int]] = {}

    def __call__(self, _method: str, path: str, body: Any) -> tuple[int, Any]:
        self.told[path.rpartition("/")[2]] = [int(url.rpartition(":")[2]) for url in body["urls"]]
        return 200, {}


@pytest.fixture
def gateway() -> Admin:
    return Admin()


@pytest.fixture
def server(gateway: Admin) -> Iterator[JsonServer]:
    one = JsonServer(gateway)
    yield one
    one.close()


@pytest.fixture
def ports(server: JsonServer) -> Ports:
    """Ports of a lab whose gateway's admin port is the fake's."""
    ports = Ports(int(server.url.rpartition(":")[2]) - 11)
    assert ports.gateway_admin == int(server.url.rpartition(":")[2])
    return ports


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    state.make_directories(home)
    return home


def feed(ports: Ports, number: int) -> int:
    return ports.replica("feed", number)[0]


def test_a_drained_replica_is_left_out_until_it_is_put_back(home: Home, ports: Ports, gateway: Admin) -> None:
    assert replicas.drain(home, ports, "feed-1") is False
    assert gateway.told["feed"] == [feed(ports, 2)]
    assert replicas.drained(home) == ["feed-1"]
    assert replicas.drain(home, ports, "feed-1") is True
    assert replicas.drain(home, ports, "feed-1", back=True) is True
    assert gateway.told["feed"] == [feed(ports, 1), feed(ports, 2)]
    assert replicas.drained(home) == []


def test_the_last_replica_that_is_routed_to_cannot_be_drained(home: Home, ports: Ports, gateway: Admin) -> None:
    replicas.drain(home, ports, "feed-2")
    with pytest.raises(UsageError, match="last replica of feed"):
        replicas.drain(home, ports, "feed-1")
    assert gateway.told["feed"] == [feed(ports, 1)]
    assert replicas.drained(home) == ["feed-2"]


@pytest.mark.parametrize("name", ["feed", "feed-3", "gateway", "nope"])
def test_what_is_no_running_replica_cannot_be_drained(home: Home, ports: Ports, gateway: Admin, name: str) -> None:
    with pytest.raises(UsageError, match=r"feed-1, feed-2"):
        replicas.drain(home, ports, name)
    assert gateway.told == {}


def test_a_replica_behind_a_detour_is_reached_by_its_port_drained_or_straight(
    home: Home, ports: Ports, gateway: Admin
) -> None:
    assert replicas.detour(home, ports, "feed-1", ports.detour) is None
    assert gateway.told["feed"] == [ports.detour, feed(ports, 2)]
    replicas.drain(home, ports, "feed-1")
    assert gateway.told["feed"] == [feed(ports, 2)]
    replicas.drain(home, ports, "feed-1", back=True)
    assert gateway.told["feed"] == [ports.detour, feed(ports, 2)]
    assert replicas.detour(home, ports, "feed-1", None) == ports.detour
    assert gateway.told["feed"] == [feed(ports, 1), feed(ports, 2)]
    assert replicas.detour(home, ports, "feed-1", None) is None


def test_when_the_gateway_cannot_be_told_nothing_is_kept(home: Home, ports: Ports, server: JsonServer) -> None:
    server.close()
    with pytest.raises(NotRunning):
        replicas.drain(home, ports, "feed-1")
    assert replicas.drained(home) == []


def test_a_shutdown_forgets_what_was_drained(home: Home, ports: Ports, gateway: Admin) -> None:
    replicas.drain(home, ports, "feed-1")
    assert gateway.told
    state.clear(home)
    assert state.read_routing(home) == state.Routing()
