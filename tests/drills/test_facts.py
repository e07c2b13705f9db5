"""What the grading goes by: alerts that the incident raised itself, and not those of earlier ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.drills import measure, record
from lab.drills.incident import Incident
from lab.oncall.times import epoch_seconds, utc_text
from lab.slo.model import PAGE, TICKET

T0 = epoch_seconds("2026-01-02T03:04:05.000Z")
P99 = {"sloth_id": "feed-latency-p99"}
KEPT = {"objective_ratio": 0.99, "total_events": 4000, "bad_events": 40, "bad_ratio": 0.01, "budget_spent_ratio": 0.1}
MISSED = KEPT | {"bad_events": 44, "bad_ratio": 0.011}


@pytest.mark.parametrize(
    ("severity", "labels", "spent", "raised"),
    [
        (TICKET, P99, KEPT, False),
        (TICKET, P99, MISSED, True),
        (PAGE, P99, KEPT, True),
        (TICKET, {}, KEPT, True),
        (TICKET, {"sloth_id": "user-latency-p99"}, KEPT, True),
    ],
)
def test_an_incident_cannot_have_raised_the_ticket_of_an_slo_that_kept_its_objective(
    severity: str, labels: dict[str, str], spent: dict[str, float], raised: bool
) -> None:
    assert measure.of_this_incident(severity, labels, {"feed-latency-p99": spent}) is raised


def alert(name: str, severity: str, at: float) -> dict[str, Any]:
    return {"name": name, "severity": severity, "labels": P99, "t_seconds": at}


def notice(name: str, severity: str, at: float) -> dict[str, Any]:
    return {"alertname": name, "severity": severity, "labels": P99, "starts_at": utc_text(T0 + at)}


@pytest.mark.parametrize(
    ("spent", "allowed", "fired"),
    [
        (MISSED, set(), {("Fired", TICKET), ("Told", TICKET), ("Paged", PAGE)}),
        (KEPT, set(), {("Paged", PAGE)}),
        (KEPT, {("Fired", TICKET)}, {("Fired", TICKET), ("Paged", PAGE)}),
    ],
)
def test_what_fired_is_what_began_in_the_incident_and_came_of_it(
    spent: dict[str, float], allowed: set[tuple[str, str]], fired: set[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "down_targets", lambda _incident: ())
    told = [notice("Told", TICKET, 5), notice("Before", PAGE, -5)]
    drill = SimpleNamespace(expect=SimpleNamespace(allows=lambda *alert: alert in allowed))
    incident = SimpleNamespace(
        drill=drill, t0=T0, ended_at=T0 + 60, page=None, responder="none", branch=None, runbook=[], overdue=False,
        held=False, notices=lambda: told, restored=lambda _at: True, responder_actions=list,
    )  # fmt: skip
    found = dict.fromkeys(("page", "ack", "recovered", "resolved"))
    rows = [alert("Fired", TICKET, 5), alert("Paged", PAGE, 6), alert("Before", TICKET, -5)]
    facts = record.facts(cast(Incident, incident), found, rows, {"feed-latency-p99": spent})
    assert facts.fired == fired
