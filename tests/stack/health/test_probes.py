"""Readiness probes, and how `fleetops status` shows them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from support import free_port
from werkzeug.serving import make_server

from lab.cli import stack
from lab.clients.documents import as_builtins
from lab.control.spool import Backlog
from lab.stack.health import probes
from lab.stack.health.status import Status
from lab.stack.programs import Program, url
from lab.telemetry.health import Health

NOTE = "stored state refused, default used: canary: 500 is more than 100"


def program(port: int) -> Program:
    return Program("gateway", "gateway", "services", (), (port,), f"{url(port)}/readyz")


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def gateway(health: Health) -> Iterator[Program]:
    app, port = Flask("gateway"), free_port()
    health.init_app(app)
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield program(port)
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_ready_program_has_no_reason_and_reports_its_notes(health: Health, gateway: Program) -> None:
    assert probes.readiness(gateway) == probes.Readiness()
    health.note(NOTE)
    assert probes.readiness(gateway) == probes.Readiness("", (NOTE,))


def test_a_program_that_is_not_ready_reports_the_failed_check_and_its_notes(health: Health, gateway: Program) -> None:
    health.note(NOTE)
    health.draining.set()
    assert probes.readiness(gateway) == probes.Readiness("serving: draining", (NOTE,))


def test_every_program_is_probed_and_one_that_does_not_listen_is_reported(gateway: Program) -> None:
    other = Program("pager", "pager", "platform", (), (1,), f"{url(1)}/readyz")
    assert probes.readiness_of([gateway, other]) == {
        "gateway": probes.Readiness(),
        "pager": probes.Readiness("connection refused"),
    }


def test_a_status_with_notes_is_ready(capsys: pytest.CaptureFixture[str]) -> None:
    status = Status(running=True, urls={}, console_url="", notes=[f"gateway: {NOTE}"])
    stack._print_status(status, Backlog(0, None, 0, ""))
    lines = capsys.readouterr().out.splitlines()
    assert f"note   gateway: {NOTE}" in lines
    assert lines[-1] == "ready"
    assert as_builtins(status)["notes"] == [f"gateway: {NOTE}"]
