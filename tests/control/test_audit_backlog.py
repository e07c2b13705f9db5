"""Audit rows reach the pager in order, whatever they contain; undeliverable rows are kept and reported."""

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
def warnings() -> list[str]:
    return []


@pytest.fixture
def audited(clients: LabClients, warnings: list[str]) -> LabClients:
    """The lab clients, with the spool's warnings recorded."""
    return replace(clients, trail=replace(clients.trail, spool=replace(clients.trail.spool, say=warnings.append)))


def refuse(servers: dict[str, JsonServer], pager: FakePager, status: int, *, once: bool = False) -> None:
    """Have the pager answer rows that contain POISON with `status`."""
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
def test_a_refused_row_is_set_aside_and_later_rows_arrive_in_order(
    audited: LabClients, servers: dict[str, JsonServer], pager: FakePager, warnings: list[str], status: int
) -> None:
    refuse(servers, pager, status)
    for audit_row in (row(1, POISON), row(2), row(3)):
        audited.trail.deliver(audit_row)
    assert list(pager.rows) == ["r2", "r3"]
    backlog = audited.trail.spool.backlog()
    assert (backlog.waiting, backlog.refused) == (0, 1)
    (kept,) = [json.loads(line) for line in audited.trail.spool.refused.read_text().splitlines() if line]
    assert kept["row"] == row(1, POISON)
    assert "no such text" in kept["why"]
    assert len(warnings) == 1
    assert "flag set canary" in warnings[0]
    assert str(audited.trail.spool.refused) in warnings[0]


def test_a_transient_pager_failure_loses_no_row(
    audited: LabClients, servers: dict[str, JsonServer], pager: FakePager, warnings: list[str]
) -> None:
    refuse(servers, pager, 503, once=True)
    audited.trail.deliver(row(1, POISON))
    assert audited.trail.spool.backlog().waiting == 1
    audited.trail.deliver(row(2))
    assert sorted(pager.rows) == ["r1", "r2"]
    assert audited.trail.spool.backlog().clear
    assert warnings == []


@pytest.mark.parametrize("line", ["[" * 100_000, '{"at": ' * 100_000, "[1]", '{"at": 1e999}'])
def test_a_line_that_is_no_row_is_set_aside_and_blocks_nothing(
    audited: LabClients, pager: FakePager, line: str
) -> None:
    spool = audited.trail.spool
    spool.file.parent.mkdir(parents=True, exist_ok=True)
    spool.file.write_text(f"{line}\n{json.dumps(row(1))}\n")
    assert spool.backlog().waiting == 2
    spool.deliver(audited.pager.record, row(2))
    assert list(pager.rows) == ["r1", "r2"]
    assert (spool.backlog().waiting, spool.backlog().refused) == (0, 1)


def test_rows_wait_while_the_pager_is_down_and_the_backlog_reports_the_oldest(
    audited: LabClients, pager: FakePager, warnings: list[str]
) -> None:
    cut_off = AuditTrail(Pager("http://127.0.0.1:9", timeout_seconds=0.2), audited.trail.spool, "ada")
    for audit_row in (row(1), row(2), row(3)):
        cut_off.deliver(audit_row)
    backlog = audited.trail.spool.backlog()
    assert str(backlog) == "3 rows waiting for the pager since 2026-01-31T12:00:01.000Z"
    assert warnings == []
    audited.trail.flush()
    assert list(pager.rows) == ["r1", "r2", "r3"]
    assert str(audited.trail.spool.backlog()) == "delivered"


def test_a_row_is_set_aside_once_even_when_the_pager_goes_down_afterwards(
    audited: LabClients, servers: dict[str, JsonServer], pager: FakePager, warnings: list[str]
) -> None:
    refuse(servers, pager, 400)
    spool = audited.trail.spool
    spool.file.parent.mkdir(parents=True)
    spool.file.write_text(
        "".join(json.dumps(audit_row) + "\n" for audit_row in (row(1, POISON), row(2))) + '{"id": "torn'
    )
    cut_off = AuditTrail(Pager("http://127.0.0.1:9", timeout_seconds=0.2), spool, "ada")
    cut_off.flush()
    audited.trail.flush()
    audited.trail.flush()
    assert list(pager.rows) == ["r2"]
    kept = [json.loads(line)["row"] for line in spool.refused.read_text().splitlines() if line]
    assert kept == [{"line": '{"id": "torn'}, row(1, POISON)]
    assert len(warnings) == 2


def test_doctor_reports_refused_and_waiting_rows_while_the_lab_runs(
    audited: LabClients, servers: dict[str, JsonServer], pager: FakePager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def audit_finding() -> tuple[bool, str]:
        finding = next(finding for finding in recovery.examine(audited) if finding.name == "audit-log")
        return finding.ok, finding.found

    monkeypatch.setattr(Supervisor, "pid", lambda _self: 1)
    assert audit_finding() == (True, "delivered")
    refuse(servers, pager, 400)
    audited.trail.deliver(row(1, POISON))
    assert audit_finding() == (False, f"1 row refused by the pager, kept in {audited.trail.spool.refused}")
    audited.trail.spool.refused.rename(audited.trail.spool.refused.with_suffix(".read"))
    servers["pager"].close()
    audited.trail.deliver(row(2))
    assert audit_finding() == (False, "1 row waiting for the pager since 2026-01-31T12:00:02.000Z")


def test_an_unwritable_spool_is_one_clear_error_and_nothing_is_changed(clients: LabClients) -> None:
    clients.home.data.write_text("a file where the folder should be")
    with pytest.raises(LabError, match=r"cannot write the audit log's queue .*audit-spool.jsonl"):
        actions.set_canary_weight(clients, 25)


BAD = b"a\xff\xfeb\x1b[2Jc".decode("utf-8", "surrogateescape")
CLEAN = "a\ufffd\ufffdb\ufffd[2Jc"


def test_invalid_utf8_and_control_characters_are_replaced_before_storing_or_sending(
    clients: LabClients, pager: FakePager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.cli.controls.clients", lambda: clients)
    assert main.run(["flag", "set", "canary", "off", "--reason", BAD]) == 0
    (audit_row,) = pager.rows.values()
    assert (audit_row["reason"], audit_row["outcome"]) == (CLEAN, "done")
    assert clients.trail.spool.backlog().clear


def test_the_actor_name_is_cleaned_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV_ACTOR, BAD)
    assert default_actor() == CLEAN


def test_every_string_parameter_of_every_command_is_cleaned() -> None:
    import click

    def parameters(command: click.Command) -> list[click.Parameter]:
        inner = command.commands.values() if isinstance(command, click.Group) else ()
        return [*(p for p in command.params), *(p for sub in inner for p in parameters(sub))]

    params = [param for verb in main.verbs() for param in parameters(main.load(verb))]
    assert not [param.name for param in params if param.type is click.STRING]
    assert sum(param.type is main.PLAIN_TEXT for param in params) > 40


def test_status_reports_waiting_audit_rows_and_since_when(
    audited: LabClients, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLEETOPS_HOME", str(audited.home.path))
    assert main.run(["status"]) == 1
    assert "audit log" not in capsys.readouterr().out
    AuditTrail(Pager("http://127.0.0.1:9", timeout_seconds=0.2), audited.trail.spool, "ada").deliver(row(1))
    assert main.run(["status"]) == 1
    assert "audit log  1 row waiting for the pager since 2026-01-31T12:00:01.000Z" in capsys.readouterr().out
    assert main.run(["status", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["audit"]["waiting"] == 1
