"""A journal that cannot be read, or not be undone, is named in one line with what to do, and never lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

import pytest
from fakes import FakeGateway, JsonServer

from lab.cli.main import run
from lab.clients.documents import as_builtins
from lab.control import actions
from lab.control.lab_clients import LabClients
from lab.drills.undo import recovery
from lab.drills.undo.journal import current, exclusive, journal_path, undo, undo_at_rest, undo_left_over, undoing
from lab.drills.undo.snapshot import take
from lab.errors import LabError
from lab.stack.processes.supervision import Supervisor

NOTHING = '"state": {"canary_weight_percent": 0, "flags": {}, "replicas": {}}}'
DAMAGED = [
    "{", "", "[" * 100_000, "[1, 2]", "null", "{}", '"text"', "7", '{"drill": "INC-001"}',
    '{"drill": "INC-001", "pid": "1", "at": "2026-01-31T12:00:00.000Z", "state": {}}',
    '{"drill": "INC-001", "pid": 1, "at": "2026-01-31T12:00:00.000Z", "state": {}}',
    '{"drill": "INC-001", "pid": 1, "at": 7, ' + NOTHING,
    '{"drill": "random", "blind": true, "pid": 1, "at": "", "packed": "bm90IHppcHBlZA=="}',
    '{"drill": "random", "blind": true, "pid": 1, "at": "", "packed": 7}',
    '{"drill": "INC-001", "pid": 1, "at": "2026-01-31T12:00:00.000Z", "faults": [7], ' + NOTHING,
    '{"drill": "INC-001", "pid": 1, "at": "2026-01-31T12:00:00.000Z", "faults": [{"fault": {"kind": "no-such-fault"}, '
    '"found": {}}], ' + NOTHING,
]  # fmt: skip


@pytest.fixture(params=DAMAGED)
def damaged(request: pytest.FixtureRequest, clients: LabClients) -> str:
    """A journal of a wrong shape."""
    text: str = request.param
    journal_path(clients.home).parent.mkdir(parents=True, exist_ok=True)
    journal_path(clients.home).write_text(text)
    return text


def aside(clients: LabClients) -> list[str]:
    return [file.read_text() for file in journal_path(clients.home).parent.glob("drill.journal.damaged-*.json")]


@pytest.mark.parametrize("reader", [undo, undo_at_rest, undo_left_over])
def test_a_damaged_journal_is_named_with_what_to_do_and_moved_aside_whole(
    clients: LabClients, damaged: str, reader: Callable[[LabClients], list[str]]
) -> None:
    with pytest.raises(LabError, match=r"drill\.journal\.json.*(damaged|no-such-fault).*moved to .*fleetops flag list"):
        reader(clients)
    assert aside(clients) == [damaged]
    assert reader(clients) == [], "it stands in nobody's way any more"


def test_doctor_undo_up_and_the_console_say_one_line_about_a_damaged_journal(
    clients: LabClients, damaged: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLEETOPS_HOME", str(clients.home.path))
    monkeypatch.setattr("lab.cli.drill.clients", lambda: clients)
    with suppress(LabError):  # either it knows what to show, or says in one line that it does not
        current(clients.home)
    assert aside(clients) == [], "who only looks moves nothing"
    (line,) = recovery.before_start(clients)
    assert "moved to" in line
    journal_path(clients.home).write_text(damaged)
    finding = recovery.examine(clients)[0]
    assert not finding.ok
    assert "moved to" in finding.found
    journal_path(clients.home).write_text(damaged)
    assert run(["drill", "undo"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("fleetops: ")
    assert said.count("\n") == 1


def test_doctor_and_undo_never_say_that_they_undid_what_they_could_not(
    clients: LabClients,
    gateway: FakeGateway,
    servers: dict[str, JsonServer],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The gateway refuses the request: a UsageError, which was taken for a drill that runs."""
    monkeypatch.setenv("FLEETOPS_HOME", str(clients.home.path))
    monkeypatch.setattr("lab.cli.drill.clients", lambda: clients)
    monkeypatch.setattr(Supervisor, "pid", lambda _self: 1)
    journal = {"drill": "INC-001", "pid": 1, "at": "2026-01-31T12:00:00.000Z", "state": as_builtins(take(clients))}
    journal_path(clients.home).parent.mkdir(parents=True, exist_ok=True)
    journal_path(clients.home).write_text(json.dumps(journal))
    actions.set_canary_weight(clients, 50)
    servers["gateway"].answer = lambda method, path, body: (
        gateway(method, path, body) if method == "GET" else (400, {"error": "not like this"})
    )
    finding = recovery.examine(clients)[0]
    assert not finding.ok
    assert "not like this" in finding.found
    assert run(["drill", "undo"]) == 1
    assert "not like this" in capsys.readouterr().err
    assert journal_path(clients.home).exists()
    servers["gateway"].answer = gateway
    assert recovery.examine(clients)[0].found == "undid a drill that was killed: canary weight 50 % → 0 %"


def test_while_a_drill_runs_undo_says_so_and_doctor_leaves_it_alone(
    clients: LabClients, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLEETOPS_HOME", str(clients.home.path))
    monkeypatch.setattr("lab.cli.drill.clients", lambda: clients)
    with exclusive(clients.home), undoing(clients, "INC-001"):
        assert run(["drill", "undo"]) == 1
        assert "a drill is running" in capsys.readouterr().err
        assert recovery.examine(clients)[0].found == "a drill is running"
    assert run(["drill", "undo"]) == 0
