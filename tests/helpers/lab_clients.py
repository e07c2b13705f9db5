"""Fixtures: lab clients with a fake pager and a fake gateway, and their own state directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import FakeGateway, FakePager, JsonServer

from lab.clients.gateway import GatewayAdmin
from lab.clients.pager import Pager
from lab.clients.prometheus import Prometheus
from lab.control.audit import AuditTrail
from lab.control.lab_clients import LabClients
from lab.paths import Home, Ports


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def pager() -> FakePager:
    return FakePager()


@pytest.fixture
def servers(gateway: FakeGateway, pager: FakePager) -> Iterator[dict[str, JsonServer]]:
    running = {"gateway": JsonServer(gateway), "pager": JsonServer(pager)}
    yield running
    for server in running.values():
        server.close()


@pytest.fixture
def clients(servers: dict[str, JsonServer], tmp_path: Path) -> LabClients:
    client = Pager(servers["pager"].url, "token", timeout_seconds=1)
    home = Home(tmp_path)
    return LabClients(
        home,
        Ports(9),
        GatewayAdmin(servers["gateway"].url, "token"),
        client,
        Prometheus("http://127.0.0.1:9"),
        AuditTrail.of(home, client, "ada"),
    )
