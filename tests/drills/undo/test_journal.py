"""Whatever ends a drill, the lab is as it was: undone at its end, or by whoever comes next."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fakes import FakeGateway, FakePager, JsonServer

from lab.clients.documents import as_builtins
from lab.control import actions, gateway_settings
from lab.control.lab_clients import LabClients
from lab.drills.faults import FAULTS, Fault, FaultContext
from lab.drills.schema.parameters import text
from lab.drills.undo.journal import (
    CLEANER,
    exclusive,
    journal_path,
    undo,
    undo_at_rest,
    undo_left_over,
    undoing,
)
from lab.drills.undo.snapshot import take
from lab.errors import LabError, NotRunning, UsageError
from lab.paths import Ports
from lab.stack import state


@pytest.mark.parametrize("end", [None, RuntimeError, KeyboardInterrupt, SystemExit])
def test_the_fault_is_undone_however_the_drill_ends(
    clients: LabClients, gateway: FakeGateway, end: type[BaseException] | None
) -> None:
    def drill() -> None:
        with undoing(clients, "INC-001"):
            actions.set_canary_weight(clients, 50)
            actions.set_flag(clients, "canary", False)
            if end:
                raise end

    if end:
        with pytest.raises(end):
            drill()
    else:
        drill()
    assert gateway.state["canary"]["weight_percent"] == 0
    assert gateway.state["flags"]["canary"]["enabled"] is True
    assert not journal_path(clients.home).exists()


def test_what_is_undone_stands_in_the_audit_log_under_the_cleaners_name(clients: LabClients, pager: FakePager) -> None:
    with undoing(clients, "INC-001"):
        actions.set_canary_weight(clients, 50)
    last = list(pager.rows.values())[-1]
    assert (last["actor"], last["old"], last["new"], last["reason"]) == (CLEANER, 50, 0, "undo drill INC-001")


def test_a_drill_that_was_killed_is_undone_by_the_next_start(clients: LabClients, gateway: FakeGateway) -> None:
    journal = {"drill": "INC-001", "pid": 1, "at": "2026-01-31T12:00:00.000Z", "state": as_builtins(take(clients))}
    journal_path(clients.home).parent.mkdir(parents=True, exist_ok=True)
    journal_path(clients.home).write_text(json.dumps(journal))
    actions.set_canary_weight(clients, 50)
    assert undo_left_over(clients) == ["canary weight 50 % → 0 %"]
    assert gateway.state["canary"]["weight_percent"] == 0
    assert undo_left_over(clients) == []


def test_a_drill_that_still_runs_is_left_alone_and_a_second_one_is_refused(
    clients: LabClients, gateway: FakeGateway
) -> None:
    with exclusive(clients.home), undoing(clients, "INC-001"):
        actions.set_canary_weight(clients, 50)
        assert undo_left_over(clients) == []
        assert gateway.state["canary"]["weight_percent"] == 50
        with pytest.raises(UsageError, match="running already"), exclusive(clients.home):
            pass


@dataclass(frozen=True)
class Leak(Fault):
    """A file that must go."""

    kind: ClassVar[str] = "leak"
    name: str = text("Its name.")

    def capture(self, context: FaultContext) -> dict[str, Any]:
        return {"there": self.file(context).exists()}

    def file(self, context: FaultContext) -> Path:
        return context.home.data / self.name

    def inject(self, context: FaultContext) -> None:
        self.file(context).write_text("leak")

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        if self.name == "stuck":
            raise LabError("it is stuck")
        if found["there"] or not self.file(context).exists():
            return []
        self.file(context).unlink()
        return [f"removed {self.name}"]

    def undo_at_rest(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        return [f"at rest: {line}" for line in self.undo(context, found)]


@pytest.fixture
def leak(monkeypatch: pytest.MonkeyPatch) -> type[Leak]:
    monkeypatch.setitem(FAULTS, "leak", Leak)
    return Leak


def test_faults_are_undone_by_somebody_who_knows_only_the_journal(clients: LabClients, leak: type[Leak]) -> None:
    one, two = leak("one"), leak("two")
    clients.home.data.mkdir()
    with undoing(clients, "INC-001", [one, two]):
        kept = journal_path(clients.home).read_text()
        one.inject(FaultContext(clients))
        two.inject(FaultContext(clients))
        assert undo(clients, of_process=1) == [], "another drill's guard must leave this one alone"
        assert undo(clients) == ["removed two", "removed one"]
        assert undo(clients) == []
    one.inject(FaultContext(clients))
    journal_path(clients.home).write_text(kept)
    assert undo_at_rest(clients) == ["at rest: removed one"]
    assert journal_path(clients.home).exists(), "the rest is undone when the lab runs"
    assert undo_left_over(clients) == []
    assert not journal_path(clients.home).exists()


def test_what_cannot_be_undone_keeps_the_journal_and_does_not_keep_the_rest(
    clients: LabClients, leak: type[Leak]
) -> None:
    one = leak("one")
    clients.home.data.mkdir()
    with (
        pytest.raises(LabError, match=r"leak: it is stuck.*drill undo"),
        undoing(clients, "INC-001", [one, leak("stuck")]),
    ):
        one.inject(FaultContext(clients))
        actions.set_canary_weight(clients, 50)
    assert not one.file(FaultContext(clients)).exists()
    assert clients.gateway.canary_weight() == 0
    assert journal_path(clients.home).exists()


def test_a_journal_that_cannot_be_undone_now_is_kept_for_later(
    clients: LabClients, servers: dict[str, JsonServer]
) -> None:
    with pytest.raises(NotRunning), undoing(clients, "INC-001"):
        actions.set_canary_weight(clients, 50)
        servers["gateway"].close()
    assert journal_path(clients.home).exists()


@dataclass(frozen=True)
class NeedsLeak(Leak):
    """Cannot be undone while the leak is there, as a statement needs its database."""

    kind: ClassVar[str] = "needs-leak"

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        if (context.home.data / "leak").exists():
            raise LabError("the leak is in the way")
        return super().undo(context, found)


def test_a_fault_that_needs_another_one_undone_first_is_tried_again(
    clients: LabClients, leak: type[Leak], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAULTS, "needs-leak", NeedsLeak)
    clients.home.data.mkdir()
    first, second = leak("leak"), NeedsLeak("second")
    with undoing(clients, "INC-001", [first, second]):
        first.inject(FaultContext(clients))
        second.inject(FaultContext(clients))
        assert undo(clients) == ["removed leak", "removed second"]


def test_a_flag_that_no_longer_exists_does_not_stop_the_rest(clients: LabClients, gateway: FakeGateway) -> None:
    with undoing(clients, "INC-001"):
        actions.set_canary_weight(clients, 50)
        actions.set_flag(clients, "canary", False)
        gateway.state["flags"] = {}
    assert gateway.state["canary"]["weight_percent"] == 0


def test_the_pager_may_be_down_while_a_drill_is_undone(
    clients: LabClients, gateway: FakeGateway, servers: dict[str, JsonServer]
) -> None:
    with undoing(clients, "INC-001"):
        actions.set_canary_weight(clients, 50)
        servers["pager"].close()
    assert gateway.state["canary"]["weight_percent"] == 0


def test_every_setting_of_the_gateway_is_put_back(clients: LabClients, gateway: FakeGateway) -> None:
    before = json.loads(json.dumps(gateway.state))
    with undoing(clients, "INC-001"):
        gateway_settings.change(clients, gateway_settings.RATELIMIT, {"client_per_second": 5})
        gateway_settings.change(clients, gateway_settings.SHED, {"guest_ratio": 0})
        gateway_settings.change(clients, gateway_settings.RETRY, {"max_retries": 3, "on": ["timeout"]})
        gateway_settings.change(clients, gateway_settings.BREAKERS, {"user": "open"})
        gateway_settings.change(clients, gateway_settings.TIMEOUTS, {"feed": 0.5})
        gateway_settings.change(clients, gateway_settings.CACHE, {"feed_ttl_seconds": 10})
    assert gateway.state == before


def test_a_replica_that_was_drained_during_the_drill_is_routed_to_again(
    clients: LabClients, gateway: FakeGateway
) -> None:
    both = gateway.state["upstreams"]["feed"]
    before = state.Routing(drained=("feed-1",))
    state.make_directories(clients.home)
    port = int(clients.gateway.http.base_url.rpartition(":")[2]) - 11
    clients = replace(clients, ports=Ports(port))
    with undoing(clients, "INC-017"):
        actions.drain(clients, "feed-1")
        assert state.read_routing(clients.home) == before
    assert state.read_routing(clients.home) == state.Routing()
    assert len(both) == len(gateway.state["upstreams"]["feed"]) == 2
