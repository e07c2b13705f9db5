"""The further alerts that a control may raise: those of an unmitigated fault, and those of the decoy's mistake."""

from __future__ import annotations

import pytest

from lab.control.lab_clients import LabClients
from lab.drills import runner
from lab.drills.run.responders import RESPONDERS, drill_for
from lab.drills.spec.drill import Drill, catalogue, find
from lab.drills.spec.prediction import Pipeline

RESTARTED = ("ProcessRestarted", "ticket")


@pytest.mark.parametrize("responder", RESPONDERS)
def test_only_the_wrong_responder_may_raise_the_alerts_of_the_decoy(responder: str) -> None:
    expect = drill_for(find("INC-017"), responder).expect
    assert expect.allows(*RESTARTED) is (responder == "wrong")
    assert expect.allows("FeedLatencyP95Burn", "ticket"), "the drill lists it for every responder"
    assert not expect.allows("ProcessRestarted", "page")


@pytest.mark.parametrize("responder", RESPONDERS)
def test_only_unmitigated_faults_may_raise_their_further_alerts(responder: str) -> None:
    expect = drill_for(find("INC-010"), responder).expect
    assert expect.allows("FeedLatencyP99Burn", "page") is (responder in ("none", "wrong"))
    assert expect.allows("TargetDown", "ticket")
    assert not expect.allows("FeedAvailabilityBurn", "page")


@pytest.mark.parametrize(
    "drill",
    [drill for drill in catalogue() if any(" service restart " in command for command in drill.decoy.commands)],
    ids=lambda drill: drill.id,
)
def test_a_decoy_that_restarts_a_service_may_raise_the_ticket_of_the_restart(drill: Drill) -> None:
    assert drill_for(drill, "wrong").expect.allows(*RESTARTED)


def test_a_control_is_graded_with_its_own_alerts(clients: LabClients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "read_pipeline", lambda _: Pipeline(1, 1, 1))
    allowed = {
        responder: runner._open(find("INC-017"), responder, clients, lambda _: None).drill.expect.allows(*RESTARTED)
        for responder in ("autopilot", "wrong")
    }
    assert allowed == {"autopilot": False, "wrong": True}
