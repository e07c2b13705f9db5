"""The facts to grade: only alerts that began during the incident count as fired."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import documents
import pytest

from lab.clients.documents import Page
from lab.clients.times import epoch_seconds, utc_text
from lab.drills.evidence import collect, record
from lab.drills.run.incident import Incident
from lab.drills.schema.record import AlertSpan
from lab.slo.model import PAGE, TICKET

T0 = epoch_seconds("2026-01-02T03:04:05.000Z")
P99 = {"sloth_id": "feed-latency-p99"}


def alert(name: str, severity: str, at: float) -> AlertSpan:
    return documents.span(name=name, severity=severity, labels=P99, t_seconds=at)


def notice(name: str, severity: str, at: float) -> Page:
    return documents.page(alertname=name, severity=severity, labels=P99, starts_at=utc_text(T0 + at))


def test_only_alerts_that_began_during_the_incident_count_as_fired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "down_targets", lambda _incident: ())
    notices = [notice("Delivered", TICKET, 5), notice("Before", PAGE, -5)]
    incident = SimpleNamespace(
        t0=T0, ended_at=T0 + 60, page=None, responder="none", branch=None, runbook=[], overdue=False,
        held=False, notices=lambda: notices, restored=lambda _at: True, responder_actions=list,
    )  # fmt: skip
    milestones = dict.fromkeys(("page", "ack", "recovered", "resolved"))
    spans = [alert("Fired", TICKET, 5), alert("Paged", PAGE, 6), alert("Before", TICKET, -5)]
    facts = record.facts(cast(Incident, incident), milestones, spans)
    assert facts.fired == {("Fired", TICKET), ("Delivered", TICKET), ("Paged", PAGE)}
