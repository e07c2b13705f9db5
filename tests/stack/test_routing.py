"""The gateway's upstreams across drains, detours and shutdowns."""

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
    """A gateway admin API that records the ports of its upstreams."""

    def __init__(self) -> None:
        self.upstreams: dict[str, list[int]] = {}

    def __call__(self, _method: str, path: str, body: Any) -> tuple[int, Any]:
        self.upstreams[path.rpartition("/")[2]] = [int(url.rpartition(":")[2]) for url in body["urls"]]
        return 200, {}


@pytest.fixture
def gateway() -> Admin:
    return Admin()


@pytest.fixture
def server(gateway: Admin) -> Iterator[JsonServer]:
    running = JsonServer(gateway)
    yield running
    running.close()


@pytest.fixture
def ports(server: JsonServer) -> Ports:
    """Ports of a lab whose gateway admin port is that of the fake."""
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


def test_a_drained_replica_gets_no_traffic_until_it_is_undrained(home: Home, ports: Ports, gateway: Admin) -> None:
    assert replicas.drain(home, ports, "feed-1") is False
    assert gateway.upstreams["feed"] == [feed(ports, 2)]
    assert replicas.drained(home) == ["feed-1"]
    assert replicas.drain(home, ports, "feed-1") is True
    assert replicas.drain(home, ports, "feed-1", back=True) is True
    assert gateway.upstreams["feed"] == [feed(ports, 1), feed(ports, 2)]
    assert replicas.drained(home) == []


def test_the_last_replica_in_rotation_cannot_be_drained(home: Home, ports: Ports, gateway: Admin) -> None:
    replicas.drain(home, ports, "feed-2")
    with pytest.raises(UsageError, match="last replica of feed"):
        replicas.drain(home, ports, "feed-1")
    assert gateway.upstreams["feed"] == [feed(ports, 1)]
    assert replicas.drained(home) == ["feed-2"]


@pytest.mark.parametrize("name", ["feed", "feed-3", "gateway", "nope"])
def test_only_a_running_replica_can_be_drained(home: Home, ports: Ports, gateway: Admin, name: str) -> None:
    with pytest.raises(UsageError, match=r"feed-1, feed-2"):
        replicas.drain(home, ports, name)
    assert gateway.upstreams == {}


def test_a_replica_behind_a_detour_is_routed_through_its_port_and_can_be_drained(
    home: Home, ports: Ports, gateway: Admin
) -> None:
    assert replicas.detour(home, ports, "feed-1", ports.detour) is None
    assert gateway.upstreams["feed"] == [ports.detour, feed(ports, 2)]
    replicas.drain(home, ports, "feed-1")
    assert gateway.upstreams["feed"] == [feed(ports, 2)]
    replicas.drain(home, ports, "feed-1", back=True)
    assert gateway.upstreams["feed"] == [ports.detour, feed(ports, 2)]
    assert replicas.detour(home, ports, "feed-1", None) == ports.detour
    assert gateway.upstreams["feed"] == [feed(ports, 1), feed(ports, 2)]
    assert replicas.detour(home, ports, "feed-1", None) is None


def test_routing_is_unchanged_when_the_gateway_does_not_answer(home: Home, ports: Ports, server: JsonServer) -> None:
    server.close()
    with pytest.raises(NotRunning):
        replicas.drain(home, ports, "feed-1")
    assert replicas.drained(home) == []


def test_a_shutdown_clears_the_drained_replicas(home: Home, ports: Ports, gateway: Admin) -> None:
    replicas.drain(home, ports, "feed-1")
    assert gateway.upstreams
    state.clear(home)
    assert state.read_routing(home) == state.Routing()
