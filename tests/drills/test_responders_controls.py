"""Which alerts a control may raise beside: those of a fault that nobody mends, and of the mistake that is made."""

from __future__ import annotations

import pytest

from lab.control.lab_clients import LabClients
from lab.drills import runner
from lab.drills.run.responders import RESPONDERS, as_played
from lab.drills.spec.drill import Drill, catalogue, find
from lab.drills.spec.prediction import Pipeline

RESTARTED = ("ProcessRestarted", "ticket")


@pytest.mark.parametrize("responder", RESPONDERS)
def test_a_mistake_may_raise_its_alerts_and_nobody_else_may(responder: str) -> None:
    expect = as_played(find("INC-017"), responder).expect
    assert expect.allows(*RESTARTED) is (responder == "wrong")
    assert expect.allows("FeedLatencyP95Burn", "ticket"), "what the drill lists for everybody stays"
    assert not expect.allows("ProcessRestarted", "page")


@pytest.mark.parametrize("responder", RESPONDERS)
def test_a_fault_may_spread_where_nobody_mends_it(responder: str) -> None:
    expect = as_played(find("INC-010"), responder).expect
    assert expect.allows("FeedLatencyP99Burn", "page") is (responder in ("none", "wrong"))
    assert expect.allows("TargetDown", "ticket")
    assert not expect.allows("FeedAvailabilityBurn", "page")


@pytest.mark.parametrize(
    "drill",
    [one for one in catalogue() if any(" service restart " in command for command in one.decoy.commands)],
    ids=lambda one: one.id,
)
def test_who_restarts_by_mistake_may_be_told_of_the_restart(drill: Drill) -> None:
    assert as_played(drill, "wrong").expect.allows(*RESTARTED)


def test_a_control_is_graded_with_its_own_alerts(clients: LabClients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "read_pipeline", lambda _: Pipeline(1, 1, 1))
    opened = {who: runner._open(find("INC-017"), who, clients, lambda _: None) for who in ("autopilot", "wrong")}
    assert {who: one.drill.expect.allows(*RESTARTED) for who, one in opened.items()} == {
        "autopilot": False,
        "wrong": True,
    }
