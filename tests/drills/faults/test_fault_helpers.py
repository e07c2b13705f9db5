"""Helper processes of faults: they take their options, report a failure in one line, and end with their runner."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from socket import create_connection
from urllib.parse import urlsplit

import psycopg
import pytest
from polling import eventually
from support import free_port
from valkey import Valkey

from lab.control.lab_clients import LabClients
from lab.drills.faults import FaultContext
from lab.drills.faults.helpers.options import DelayProxy, FlushAllJob, HeldTransactions
from lab.errors import LabError
from lab.paths import Home, Ports


@pytest.fixture
def context(clients: LabClients) -> Iterator[FaultContext]:
    opened = FaultContext(clients)
    yield opened
    opened.close()


class Echo(socketserver.BaseRequestHandler):
    """Returns what it receives."""

    def handle(self) -> None:
        self.request.sendall(self.request.recv(100))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (FlushAllJob(url="valkey://127.0.0.1:9", times=1, every_seconds=1), "the cache could not be flushed"),
        (HeldTransactions(sessions=1, statements=[], application="report", reopens=False), "FLEETOPS_PORT_BASE"),
    ],
    ids=["flushall job", "open transactions"],
)
def test_a_helper_that_cannot_start_is_an_error_with_its_own_reason(
    context: FaultContext, options: FlushAllJob | HeldTransactions, reason: str
) -> None:
    with pytest.raises(LabError, match=rf"helpers\.\w+ did not start: .*{reason}"):
        context.start_helper(options)
    assert context.helpers == []


def test_a_helper_serves_until_its_context_is_closed(context: FaultContext, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-token-of-sixteen-or-more")
    listen = free_port()
    with socketserver.TCPServer(("127.0.0.1", 0), Echo) as upstream:
        threading.Thread(target=upstream.serve_forever, args=(0.05,), daemon=True).start()
        helper = context.start_helper(
            DelayProxy(
                listen=f"127.0.0.1:{listen}",
                upstream=f"127.0.0.1:{upstream.server_address[1]}",
                extra_delay_seconds=0.01,
                token_file=str(tmp_path / "token"),
            )
        )
        with create_connection(("127.0.0.1", listen), 10) as client:
            client.sendall(b"ping")
            assert client.recv(100) == b"ping"
        context.close()
        upstream.shutdown()
    assert helper.process.poll() == 0


def test_a_flushall_job_flushes_until_its_context_is_closed(context: FaultContext, valkey_url: str) -> None:
    with Valkey.from_url(valkey_url) as cache:
        helper = context.start_helper(FlushAllJob(url=valkey_url, times=0, every_seconds=0.1))
        for _ in range(2):
            cache.set("fault-test", "here")
            assert eventually(lambda: not cache.exists("fault-test"), 20)
        context.close()
    assert helper.process.poll() == 0


def test_transactions_are_held_open_and_end_with_their_context(
    clients: LabClients, server_home: Home, postgres_url: str
) -> None:
    port = urlsplit(postgres_url).port or 0
    ports = Ports(port - Ports(0).postgres)
    context = FaultContext(replace(clients, home=server_home, ports=ports))

    def states() -> list[str]:
        query = "SELECT state FROM pg_stat_activity WHERE application_name = 'fault-test'"
        with psycopg.connect(postgres_url) as connection:
            return [state for (state,) in connection.execute(query).fetchall()]

    options = HeldTransactions(sessions=2, statements=["SELECT 1"], application="fault-test", reopens=False)
    helper = context.start_helper(options)
    assert states() == ["idle in transaction"] * 2
    context.close()
    assert helper.process.poll() == 0
    assert eventually(lambda: states() == [], 20)
