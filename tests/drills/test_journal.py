"""Whatever ends a drill, the lab is as it was: undone at its end, or by whoever comes next."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fakes import FakeGateway, FakePager, JsonServer

from lab.cli.main import run
from lab.control import settings, verbs
from lab.control.desk import Desk
from lab.drills import leftovers
from lab.drills.faults import FAULTS, Doors, Fault
from lab.drills.faults.parameters import text
from lab.drills.journal import (
    CLEANER,
    current,
    exclusive,
    journal_path,
    undo,
    undo_at_rest,
    undo_left_over,
    undoing,
)
from lab.drills.snapshot import take
from lab.errors import LabError, NotRunning, UsageError
from lab.places import Ports
from lab.stack import state
from lab.stack.supervision import Supervisor


@pytest.mark.parametrize("end", [None, RuntimeError, KeyboardInterrupt, SystemExit])
def test_the_fault_is_undone_however_the_drill_ends(
    desk: Desk, gateway: FakeGateway, end: type[BaseException] | None
) -> None:
    def drill() -> None:
        with undoing(desk, "INC-001"):
            verbs.set_canary_weight(desk, 50)
            verbs.set_flag(desk, "canary", False)
            if end:
                raise end

    if end:
        with pytest.raises(end):
            drill()
    else:
        drill()
    assert gateway.state["canary"]["weight_percent"] == 0
    assert gateway.state["flags"]["canary"]["enabled"] is True
    assert not journal_path(desk.home).exists()


def test_what_is_undone_stands_in_the_audit_log_under_the_cleaners_name(desk: Desk, pager: FakePager) -> None:
    with undoing(desk, "INC-001"):
        verbs.set_canary_weight(desk, 50)
    last = list(pager.rows.values())[-1]
    assert (last["actor"], last["old"], last["new"], last["reason"]) == (CLEANER, 50, 0, "undo drill INC-001")


def test_a_drill_that_was_killed_is_undone_by_the_next_start(desk: Desk, gateway: FakeGateway) -> None:
    journal = {"drill": "INC-001", "pid": 1, "at": "2026-01-31T12:00:00.000Z", "state": take(desk)}
    journal_path(desk.home).parent.mkdir(parents=True, exist_ok=True)
    journal_path(desk.home).write_text(json.dumps(journal))
    verbs.set_canary_weight(desk, 50)
    assert undo_left_over(desk) == ["canary weight 50 % → 0 %"]
    assert gateway.state["canary"]["weight_percent"] == 0
    assert undo_left_over(desk) == []


def test_a_drill_that_still_runs_is_left_alone_and_a_second_one_is_refused(desk: Desk, gateway: FakeGateway) -> None:
    with exclusive(desk.home), undoing(desk, "INC-001"):
        verbs.set_canary_weight(desk, 50)
        assert undo_left_over(desk) == []
        assert gateway.state["canary"]["weight_percent"] == 50
        with pytest.raises(UsageError, match="running already"), exclusive(desk.home):
            pass


@dataclass(frozen=True)
class Leak(Fault):
    """A file that must go."""

    kind: ClassVar[str] = "leak"
    name: str = text("Its name.")

    def found(self, doors: Doors) -> dict[str, Any]:
        return {"there": self.file(doors).exists()}

    def file(self, doors: Doors) -> Path:
        return doors.home.data / self.name

    def inject(self, doors: Doors) -> None:
        self.file(doors).write_text("leak")

    def undo(self, doors: Doors, found: dict[str, Any]) -> list[str]:
        if self.name == "stuck":
            raise LabError("it is stuck")
        if found["there"] or not self.file(doors).exists():
            return []
        self.file(doors).unlink()
        return [f"removed {self.name}"]

    def undo_at_rest(self, doors: Doors, found: dict[str, Any]) -> list[str]:
        return [f"at rest: {line}" for line in self.undo(doors, found)]


@pytest.fixture
def leak(monkeypatch: pytest.MonkeyPatch) -> type[Leak]:
    monkeypatch.setitem(FAULTS, "leak", Leak)
    return Leak


def test_faults_are_undone_by_somebody_who_knows_only_the_journal(desk: Desk, leak: type[Leak]) -> None:
    one, two = leak("one"), leak("two")
    desk.home.data.mkdir()
    with undoing(desk, "INC-001", [one, two]):
        kept = journal_path(desk.home).read_text()
        one.inject(Doors(desk))
        two.inject(Doors(desk))
        assert undo(desk, of_process=1) == [], "another drill's guard must leave this one alone"
        assert undo(desk) == ["removed two", "removed one"]
        assert undo(desk) == []
    one.inject(Doors(desk))
    journal_path(desk.home).write_text(kept)
    assert undo_at_rest(desk) == ["at rest: removed one"]
    assert journal_path(desk.home).exists(), "the rest is undone when the lab runs"
    assert undo_left_over(desk) == []
    assert not journal_path(desk.home).exists()


def test_what_cannot_be_undone_keeps_the_journal_and_does_not_keep_the_rest(desk: Desk, leak: type[Leak]) -> None:
    one = leak("one")
    desk.home.data.mkdir()
    with (
        pytest.raises(LabError, match=r"leak: it is stuck.*drill undo"),
        undoing(desk, "INC-001", [one, leak("stuck")]),
    ):
        one.inject(Doors(desk))
        verbs.set_canary_weight(desk, 50)
    assert not one.file(Doors(desk)).exists()
    assert desk.gateway.canary_weight() == 0
    assert journal_path(desk.home).exists()


def test_a_journal_that_cannot_be_undone_now_is_kept_for_later(desk: Desk, servers: dict[str, JsonServer]) -> None:
    with pytest.raises(NotRunning), undoing(desk, "INC-001"):
        verbs.set_canary_weight(desk, 50)
        servers["gateway"].close()
    assert journal_path(desk.home).exists()


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
def damaged(request: pytest.FixtureRequest, desk: Desk) -> str:
    """A journal of a wrong shape."""
    text: str = request.param
    journal_path(desk.home).parent.mkdir(parents=True, exist_ok=True)
    journal_path(desk.home).write_text(text)
    return text


def aside(desk: Desk) -> list[str]:
    return [file.read_text() for file in journal_path(desk.home).parent.glob("drill.journal.damaged-*.json")]


@pytest.mark.parametrize("reader", [undo, undo_at_rest, undo_left_over])
def test_a_damaged_journal_is_named_with_what_to_do_and_moved_aside_whole(
    desk: Desk, damaged: str, reader: Callable[[Desk], list[str]]
) -> None:
    with pytest.raises(LabError, match=r"drill\.journal\.json.*(damaged|no-such-fault).*moved to .*fleetops flag list"):
        reader(desk)
    assert aside(desk) == [damaged]
    assert reader(desk) == [], "it stands in nobody's way any more"


def test_doctor_undo_up_and_the_console_say_one_line_about_a_damaged_journal(
    desk: Desk, damaged: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLEETOPS_HOME", str(desk.home.path))
    monkeypatch.setattr("lab.cli.drill.desk", lambda: desk)
    with suppress(LabError):  # either it knows what to show, or says in one line that it does not
        current(desk.home)
    assert aside(desk) == [], "who only looks moves nothing"
    (line,) = leftovers.before_start(desk)
    assert "moved to" in line
    journal_path(desk.home).write_text(damaged)
    finding = leftovers.examine(desk)[0]
    assert not finding.ok
    assert "moved to" in finding.found
    journal_path(desk.home).write_text(damaged)
    assert run(["drill", "undo"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("fleetops: ")
    assert said.count("\n") == 1


def test_doctor_and_undo_never_say_that_they_undid_what_they_could_not(
    desk: Desk,
    gateway: FakeGateway,
    servers: dict[str, JsonServer],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The gateway refuses the request: a UsageError, which was taken for a drill that runs."""
    monkeypatch.setenv("FLEETOPS_HOME", str(desk.home.path))
    monkeypatch.setattr("lab.cli.drill.desk", lambda: desk)
    monkeypatch.setattr(Supervisor, "pid", lambda _self: 1)
    journal = {"drill": "INC-001", "pid": 1, "at": "2026-01-31T12:00:00.000Z", "state": take(desk)}
    journal_path(desk.home).parent.mkdir(parents=True, exist_ok=True)
    journal_path(desk.home).write_text(json.dumps(journal))
    verbs.set_canary_weight(desk, 50)
    servers["gateway"].answer = lambda method, path, body: (
        gateway(method, path, body) if method == "GET" else (400, {"error": "not like this"})
    )
    finding = leftovers.examine(desk)[0]
    assert not finding.ok
    assert "not like this" in finding.found
    assert run(["drill", "undo"]) == 1
    assert "not like this" in capsys.readouterr().err
    assert journal_path(desk.home).exists()
    servers["gateway"].answer = gateway
    assert leftovers.examine(desk)[0].found == "undid a drill that was killed: canary weight 50 % → 0 %"


def test_while_a_drill_runs_undo_says_so_and_doctor_leaves_it_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLEETOPS_HOME", str(desk.home.path))
    monkeypatch.setattr("lab.cli.drill.desk", lambda: desk)
    with exclusive(desk.home), undoing(desk, "INC-001"):
        assert run(["drill", "undo"]) == 1
        assert "a drill is running" in capsys.readouterr().err
        assert leftovers.examine(desk)[0].found == "a drill is running"
    assert run(["drill", "undo"]) == 0


@dataclass(frozen=True)
class NeedsLeak(Leak):
    """Cannot be undone while the leak is there, as a statement needs its DB."""

    kind: ClassVar[str] = "needs-leak"

    def undo(self, doors: Doors, found: dict[str, Any]) -> list[str]:
        if (doors.home.data / "leak").exists():
            raise LabError("the leak is in the way")
        return super().undo(doors, found)


def test_a_fault_that_needs_another_one_undone_first_is_tried_again(
    desk: Desk, leak: type[Leak], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAULTS, "needs-leak", NeedsLeak)
    desk.home.data.mkdir()
    first, second = leak("leak"), NeedsLeak("second")
    with undoing(desk, "INC-001", [first, second]):
        first.inject(Doors(desk))
        second.inject(Doors(desk))
        assert undo(desk) == ["removed leak", "removed second"]


def test_a_flag_that_no_longer_exists_does_not_stop_the_rest(desk: Desk, gateway: FakeGateway) -> None:
    with undoing(desk, "INC-001"):
        verbs.set_canary_weight(desk, 50)
        verbs.set_flag(desk, "canary", False)
        gateway.state["flags"] = {}
    assert gateway.state["canary"]["weight_percent"] == 0


def test_the_pager_may_be_down_while_a_drill_is_undone(
    desk: Desk, gateway: FakeGateway, servers: dict[str, JsonServer]
) -> None:
    with undoing(desk, "INC-001"):
        verbs.set_canary_weight(desk, 50)
        servers["pager"].close()
    assert gateway.state["canary"]["weight_percent"] == 0


def test_every_setting_of_the_gateway_is_put_back(desk: Desk, gateway: FakeGateway) -> None:
    before = json.loads(json.dumps(gateway.state))
    with undoing(desk, "INC-001"):
        settings.change(desk, settings.RATELIMIT, {"client_per_second": 5})
        settings.change(desk, settings.SHED, {"guest_ratio": 0})
        settings.change(desk, settings.RETRY, {"max_retries": 3, "on": ["timeout"]})
        settings.change(desk, settings.BREAKERS, {"user": "open"})
        settings.change(desk, settings.TIMEOUTS, {"feed": 0.5})
        settings.change(desk, settings.CACHE, {"feed_ttl_seconds": 10})
    assert gateway.state == before


def test_a_replica_that_was_drained_during_the_drill_is_routed_to_again(desk: Desk, gateway: FakeGateway) -> None:
    both = gateway.state["upstreams"]["feed"]
    before = state.Routing(drained=("feed-1",))
    state.make_directories(desk.home)
    port = int(desk.gateway.http.base_url.rpartition(":")[2]) - 11
    desk = replace(desk, ports=Ports(port))
    with undoing(desk, "INC-017"):
        verbs.drain(desk, "feed-1")
        assert state.read_routing(desk.home) == before
    assert state.read_routing(desk.home) == state.Routing()
    assert len(both) == len(gateway.state["upstreams"]["feed"]) == 2
