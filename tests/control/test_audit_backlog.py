"""Audit rows reach the pager in order, whatever one of them holds; what cannot be delivered is kept and said."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from fakes import FakePager, JsonServer

from lab.cli import main
from lab.clients.pager import Pager
from lab.control import actions
from lab.control.audit import AuditTrail, default_actor
from lab.control.lab_clients import LabClients
from lab.drills.undo import recovery
from lab.errors import LabError
from lab.names import ENV_ACTOR
from lab.stack.processes.supervision import Supervisor

POISON = "poison"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def told(clients: LabClients, said: list[str]) -> LabClients:
    """The clients, with what the spool says kept."""
    return replace(clients, trail=replace(clients.trail, spool=replace(clients.trail.spool, say=said.append)))


def refuse(servers: dict[str, JsonServer], pager: FakePager, status: int, *, once: bool = False) -> None:
    """Have the pager refuse rows that hold POISON, with this status."""
    left = [1] if once else None

    def answer(method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "POST" and POISON in json.dumps(body) and (left is None or left):
            if left:
                left.pop()
            return status, {"error": "no such text"}
        return pager(method, path, body)

    servers["pager"].answer = answer


def row(number: int, reason: str = "") -> dict[str, Any]:
    at = f"2026-01-31T12:00:0{number}.000Z"
    return {"id": f"r{number}", "at": at, "action": "flag set", "target": "canary", "outcome": "done", "reason": reason}


@pytest.mark.parametrize("status", [400, 413, 422, 500])
def test_a_row_that_the_pager_refuses_is_set_aside_and_the_rows_behind_it_arrive_in_order(
    told: LabClients, servers: dict[str, JsonServer], pager: FakePager, said: list[str], status: int
) -> None:
    refuse(servers, pager, status)
    for one in (row(1, POISON), row(2), row(3)):
        told.trail.deliver(one)
    assert list(pager.rows) == ["r2", "r3"]
    backlog = told.trail.spool.backlog()
    assert (backlog.waiting, backlog.refused) == (0, 1)
    (kept,) = [json.loads(line) for line in told.trail.spool.refused.read_text().splitlines() if line]
    assert kept["row"] == row(1, POISON)
    assert "no such text" in kept["why"]
    assert len(said) == 1
    assert "flag set canary" in said[0]
    assert str(told.trail.spool.refused) in said[0]


def test_a_pager_that_fails_for_a_moment_loses_no_row(
    told: LabClients, servers: dict[str, JsonServer], pager: FakePager, said: list[str]
) -> None:
    refuse(servers, pager, 503, once=True)
    told.trail.deliver(row(1, POISON))
    assert told.trail.spool.backlog().waiting == 1
    told.trail.deliver(row(2))
    assert sorted(pager.rows) == ["r1", "r2"]
    assert told.trail.spool.backlog().clear
    assert said == []


def test_a_pager_that_does_not_answer_sets_nothing_aside_and_what_waits_is_said_with_its_age(
    told: LabClients, pager: FakePager, said: list[str]
) -> None:
    cut_off = AuditTrail(Pager("http://127.0.0.1:9", timeout_seconds=0.2), told.trail.spool, "ada")
    for one in (row(1), row(2), row(3)):
        cut_off.deliver(one)
    backlog = told.trail.spool.backlog()
    assert str(backlog) == "3 rows waiting for the pager since 2026-01-31T12:00:01.000Z"
    assert said == []
    told.trail.flush()
    assert list(pager.rows) == ["r1", "r2", "r3"]
    assert str(told.trail.spool.backlog()) == "delivered"


def test_a_row_that_was_set_aside_before_the_pager_went_silent_is_set_aside_once(
    told: LabClients, servers: dict[str, JsonServer], pager: FakePager, said: list[str]
) -> None:
    refuse(servers, pager, 400)
    spool = told.trail.spool
    spool.file.parent.mkdir(parents=True)
    spool.file.write_text("".join(json.dumps(one) + "\n" for one in (row(1, POISON), row(2))) + '{"id": "torn')
    cut_off = AuditTrail(Pager("http://127.0.0.1:9", timeout_seconds=0.2), spool, "ada")
    cut_off.flush()
    told.trail.flush()
    told.trail.flush()
    assert list(pager.rows) == ["r2"]
    kept = [json.loads(line)["row"] for line in spool.refused.read_text().splitlines() if line]
    assert kept == [{"line": '{"id": "torn'}, row(1, POISON)]
    assert len(said) == 2


def test_doctor_names_what_was_refused_and_what_waits_while_the_lab_runs(
    told: LabClients, servers: dict[str, JsonServer], pager: FakePager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> tuple[bool, str]:
        finding = next(one for one in recovery.examine(told) if one.name == "audit-log")
        return finding.ok, finding.found

    monkeypatch.setattr(Supervisor, "pid", lambda _self: 1)
    assert found() == (True, "delivered")
    refuse(servers, pager, 400)
    told.trail.deliver(row(1, POISON))
    assert found() == (False, f"1 row refused by the pager, kept in {told.trail.spool.refused}")
    told.trail.spool.refused.rename(told.trail.spool.refused.with_suffix(".read"))
    servers["pager"].close()
    told.trail.deliver(row(2))
    assert found() == (False, "1 row waiting for the pager since 2026-01-31T12:00:02.000Z")


def test_a_queue_that_cannot_be_written_is_one_clear_error_and_nothing_is_changed(clients: LabClients) -> None:
    clients.home.data.write_text("a file where the folder should be")
    with pytest.raises(LabError, match=r"cannot write the audit log's queue .*audit-spool.jsonl"):
        actions.set_canary_weight(clients, 25)


BAD = b"a\xff\xfeb\x1b[2Jc".decode("utf-8", "surrogateescape")
CLEAN = "a\ufffd\ufffdb\ufffd[2Jc"


def test_bytes_that_are_no_text_are_replaced_before_anything_stores_or_sends_them(
    clients: LabClients, pager: FakePager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.cli.controls.clients", lambda: clients)
    assert main.run(["flag", "set", "canary", "off", "--reason", BAD]) == 0
    (one,) = pager.rows.values()
    assert (one["reason"], one["outcome"]) == (CLEAN, "done")
    assert clients.trail.spool.backlog().clear


def test_the_actors_name_is_text_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV_ACTOR, BAD)
    assert default_actor() == CLEAN


def test_every_text_that_any_verb_takes_goes_through_the_same_door() -> None:
    import click

    def texts(command: click.Command) -> list[click.Parameter]:
        inner = command.commands.values() if isinstance(command, click.Group) else ()
        return [*(p for p in command.params), *(p for sub in inner for p in texts(sub))]

    taken = [param for verb in main.verbs() for param in texts(main.load(verb))]
    assert not [param.name for param in taken if param.type is click.STRING]
    assert sum(param.type is main.PLAIN_TEXT for param in taken) > 40


def test_status_says_what_waits_and_since_when(
    told: LabClients, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLEETOPS_HOME", str(told.home.path))
    assert main.run(["status"]) == 1
    assert "audit log" not in capsys.readouterr().out
    AuditTrail(Pager("http://127.0.0.1:9", timeout_seconds=0.2), told.trail.spool, "ada").deliver(row(1))
    assert main.run(["status"]) == 1
    assert "audit log       1 row waiting for the pager since 2026-01-31T12:00:01.000Z" in capsys.readouterr().out
    assert main.run(["status", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["audit"]["waiting"] == 1
