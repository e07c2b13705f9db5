"""A person as the responder: told what to type and how it stands, never what is broken."""

from __future__ import annotations

import threading

import documents
import pytest
from fakes import FakePager
from polling import eventually

from lab.clients.times import utc_text
from lab.control.lab_clients import LabClients
from lab.drills import runner
from lab.drills.faults import FaultContext
from lab.drills.run.incident import Incident
from lab.drills.run.responders import human
from lab.drills.spec.drill import find
from lab.drills.spec.prediction import Pipeline, predict
from lab.slo.catalogue import LAB, find_slo, load_windows

INC = find("INC-001")


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def incident(clients: LabClients, pager: FakePager, told: list[str]) -> Incident:
    """A blind INC-001 whose page has just arrived."""
    slo = find_slo("feed-latency-p99")
    one = Incident(INC, clients, None, slo, load_windows(LAB), "human", told.append, FaultContext(clients), blind=True)
    one.context.report = one.reveal
    fields = {"runbook_url": "http://lab/03_runbooks/#x", "received_at": utc_text(one.t0 + 1)}
    pager.pages = [documents.page_json(**fields)]
    one.page = documents.page(**fields)
    return one


def test_a_person_is_done_when_the_page_is_taken_and_over(
    incident: Incident, pager: FakePager, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.drills.run.responders._how_bad", lambda _incident: "")
    working = threading.Thread(target=human, args=(incident, 60.0))
    working.start()
    assert eventually(lambda: any("unacknowledged" in line for line in told), 20)
    pager.pages[0]["status"] = "resolved"  # by itself: nobody has answered yet
    assert not eventually(lambda: not working.is_alive(), 1)
    pager.pages[0] |= {"acked_at": utc_text(incident.t0 + 2), "acked_by": "ada"}
    working.join(20)
    assert not working.is_alive()
    text = "\n".join(told)
    for command in ("page ack 7", "incident hint", "incident diagnose 7"):
        assert f"fleetops {command}" in text
    assert "acknowledged by ada" in text


def test_nothing_that_a_blind_drill_says_before_its_verdict_names_what_is_broken(
    incident: Incident, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.drills.run.responders._how_bad", lambda _incident: "")
    monkeypatch.setattr(
        type(INC.faults[0]), "inject", lambda _self, context: context.report("canary-ramp: weight 50 %")
    )
    incident.prediction = predict(INC, incident.slo, incident.windows, Pipeline(1, 1, 1))
    runner.inject(incident)
    runner.detect(incident)
    human(incident, 0.3)
    text = "\n".join(told)
    assert "something is broken" in text
    for secret in (INC.id, INC.title, INC.component, "canary", INC.branch or "?"):
        assert secret not in text
    incident.blind = False
    runner.inject(incident)
    assert "canary-ramp: weight 50 %" in told[-1]
