"""Requests to the lab's own processes while one of them is down and restarts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fakes import JsonServer

from lab.clients.http import RETRY_READS, JsonClient
from lab.errors import NotRunning


class Restarting:
    """Drops the first `drops` connections without an answer, as a killed process does."""

    def __init__(self, drops: int) -> None:
        self.drops = drops

    def __call__(self, _method: str, _path: str, _body: Any) -> tuple[int, Any]:
        self.drops -= 1
        if self.drops >= 0:
            raise ConnectionAbortedError
        return 200, {"alive": True}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[JsonServer]:
    monkeypatch.setattr("socketserver.BaseServer.handle_error", lambda *_: None)  # it would print the traceback
    running = JsonServer(Restarting(2))
    yield running
    running.close()


@pytest.fixture
def client(server: JsonServer) -> JsonClient:
    return JsonClient(server.url, what="the pager", timeout_seconds=1)


def test_a_client_that_retries_reads_survives_a_restart_of_the_server(
    server: JsonServer, client: JsonClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.retries = RETRY_READS
    assert client.call("GET", "/api/pages") == {"alive": True}
    assert len(server.asked) == 3
    assert not caplog.records


def test_by_default_no_request_is_retried(server: JsonServer, client: JsonClient) -> None:
    with pytest.raises(NotRunning, match=r"the pager at .* does not answer"):
        client.call("GET", "/api/pages")
    assert len(server.asked) == 1


def test_a_write_is_never_retried(server: JsonServer, client: JsonClient) -> None:
    client.retries = RETRY_READS
    with pytest.raises(NotRunning, match="does not answer"):
        client.call("POST", "/api/pages/1/ack", {"by": "ada"})
    assert len(server.asked) == 1


def test_retries_are_limited(server: JsonServer, client: JsonClient) -> None:
    client.retries = RETRY_READS.new(total=1)
    with pytest.raises(NotRunning, match="does not answer"):
        client.call("GET", "/api/pages")
    assert len(server.asked) == 2
