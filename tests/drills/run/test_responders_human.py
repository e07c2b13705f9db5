"""A person as the responder: the output has the commands to type and the state of the page, never the fault."""

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
def lines() -> list[str]:
    """The output of the drill."""
    return []


@pytest.fixture
def incident(clients: LabClients, pager: FakePager, lines: list[str]) -> Incident:
    """A blind INC-001 whose page has just arrived."""
    slo, context = find_slo("feed-latency-p99"), FaultContext(clients)
    blind = Incident(INC, clients, None, slo, load_windows(LAB), "human", lines.append, context, blind=True)
    context.report = blind.report_unless_blind
    fields = {"runbook_url": "http://lab/03_runbooks/#x", "received_at": utc_text(blind.t0 + 1)}
    pager.pages = [documents.page_json(**fields)]
    blind.page = documents.page(**fields)
    return blind


def test_a_person_is_done_when_the_page_is_acknowledged_and_resolved(
    incident: Incident, pager: FakePager, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.drills.run.responders._sli_status", lambda _incident: "")
    working = threading.Thread(target=human, args=(incident, 60.0))
    working.start()
    assert eventually(lambda: any("unacknowledged" in line for line in lines), 20)
    pager.pages[0]["status"] = "resolved"  # by itself: nobody has acknowledged it yet
    assert not eventually(lambda: not working.is_alive(), 1)
    pager.pages[0] |= {"acked_at": utc_text(incident.t0 + 2), "acked_by": "ada"}
    working.join(20)
    assert not working.is_alive()
    text = "\n".join(lines)
    for command in ("page ack 7", "incident hint", "incident diagnose 7"):
        assert f"fleetops {command}" in text
    assert "acknowledged by ada" in text


def test_the_output_of_a_blind_drill_before_its_verdict_does_not_reveal_the_fault(
    incident: Incident, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.drills.run.responders._sli_status", lambda _incident: "")
    monkeypatch.setattr(
        type(INC.faults[0]), "inject", lambda _self, context: context.report("canary-ramp: weight 50 %")
    )
    incident.prediction = predict(INC, incident.slo, incident.windows, Pipeline(1, 1, 1))
    runner.inject(incident)
    runner.detect(incident)
    human(incident, 0.3)
    text = "\n".join(lines)
    assert "fault injected" in text
    for secret in (INC.id, INC.title, INC.component, "canary", INC.branch or "?"):
        assert secret not in text
    incident.blind = False
    runner.inject(incident)
    assert "canary-ramp: weight 50 %" in lines[-1]
