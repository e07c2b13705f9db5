"""Requests to the lab's own processes while one of them dies and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fakes import JsonServer

from lab.clients.http import PATIENT, JsonClient
from lab.errors import NotRunning


class Dying:
    """Drops the first connections without an answer, as a process that is killed does."""

    def __init__(self, deaths: int) -> None:
        self.deaths = deaths

    def __call__(self, _method: str, _path: str, _body: Any) -> tuple[int, Any]:
        self.deaths -= 1
        if self.deaths >= 0:
            raise ConnectionAbortedError
        return 200, {"alive": True}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[JsonServer]:
    monkeypatch.setattr("socketserver.BaseServer.handle_error", lambda *_: None)  # it would print the traceback
    running = JsonServer(Dying(2))
    yield running
    running.close()


@pytest.fixture
def client(server: JsonServer) -> JsonClient:
    return JsonClient(server.url, what="the pager", timeout_seconds=1)


def test_who_is_patient_reads_again_until_there_is_an_answer(
    server: JsonServer, client: JsonClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.retries = PATIENT
    assert client.call("GET", "/api/pages") == {"alive": True}
    assert len(server.asked) == 3
    assert not caplog.records


def test_nobody_else_waits(server: JsonServer, client: JsonClient) -> None:
    with pytest.raises(NotRunning, match=r"the pager at .* does not answer"):
        client.call("GET", "/api/pages")
    assert len(server.asked) == 1


def test_what_changes_something_is_said_once(server: JsonServer, client: JsonClient) -> None:
    client.retries = PATIENT
    with pytest.raises(NotRunning, match="does not answer"):
        client.call("POST", "/api/pages/1/ack", {"by": "ada"})
    assert len(server.asked) == 1


def test_patience_ends(server: JsonServer, client: JsonClient) -> None:
    client.retries = PATIENT.new(total=1)
    with pytest.raises(NotRunning, match="does not answer"):
        client.call("GET", "/api/pages")
    assert len(server.asked) == 2
