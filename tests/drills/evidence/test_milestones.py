"""The milestones of an incident, read from delivered pages and audit rows."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import documents
import pytest

from lab.clients.documents import AuditRow, Page
from lab.clients.prometheus import Series
from lab.clients.times import epoch_seconds, utc_text
from lab.drills.evidence import milestones
from lab.drills.run.incident import Incident
from lab.drills.spec.drill import Restored
from lab.oncall import own_pages

T0 = epoch_seconds("2026-01-02T03:04:05.000Z")


def notice(fired: float, over: float | None) -> Page:
    return documents.page(
        starts_at=utc_text(T0 + fired),
        received_at=utc_text(T0 + fired + 1),
        resolved_at=None if over is None else utc_text(T0 + over),
    )


class Noted(SimpleNamespace):
    """An incident whose timeline is a list of (kind, title, by, seconds after the injection)."""

    def note(self, kind: str, title: str, _detail: str = "", *, by: str = "", at: float, **_: object) -> None:
        self.timeline.append(SimpleNamespace(kind=kind, title=title, by=by, t_seconds=at - T0))


def incident(
    *notices: Page, ended: float = 100, actions: Sequence[AuditRow] = (), restored: Restored | None = None,
    held: Sequence[float] = (),
) -> Incident:  # fmt: skip
    """`held`: the seconds after the injection at which the condition `restored` held."""
    series = [Series({}, [(T0 + at, 1.0) for at in held])] if held else []
    drill = SimpleNamespace(
        restored=restored, actors=frozenset(), faults=(object(),), fault_kind="process-signal", services=()
    )
    stub = Noted(
        t0=T0, ended_at=T0 + ended, page=notices[0], slo=None, timeline=[], drill=drill, windows=None,
        since_t0=lambda at: at - T0, expected=lambda: list(notices),
        actions=lambda: list(actions), responder_actions=lambda: list(actions),
        clients=SimpleNamespace(prometheus=SimpleNamespace(range=lambda *_: series)),
    )  # fmt: skip
    return cast(Incident, stub)


@pytest.mark.parametrize(
    ("notices", "ended", "resolved"),
    [
        ([notice(10, 20)], 100, 20),
        ([notice(10, 20), notice(22, 60)], 100, 60),
        ([notice(10, 20), notice(22, None)], 100, None),
        ([notice(10, None)], 100, None),
        ([notice(10, 20), notice(22, 60)], 50, None),
    ],
)
def test_an_alert_has_resolved_with_its_last_notice_if_that_is_before_the_clean_up(
    notices: list[Page], ended: float, resolved: float | None
) -> None:
    assert milestones.read(incident(*notices, ended=ended), [])["resolved"] == resolved


@pytest.mark.parametrize(
    ("target", "old", "new", "phrase"),
    [
        ("gateway", 50.0, 0.0, "config push: 50 → 0"),
        ("feed", {"settings": {}, "version": 0}, {"settings": {"pool_max": 2}, "version": 3},
         "config push feed: version 0 → pool_max 2, version 3"),
        ("feed", None, ["feed-1"], "config push feed"),
    ],
)  # fmt: skip
def test_an_audit_row_is_described_in_a_phrase(target: str, old: object, new: object, phrase: str) -> None:
    assert milestones.change(documents.audit_row(action="config push", target=target, old=old, new=new)) == phrase


WHOLE = Restored("up == 1", "every target answers")


def restart(at: float, target: str) -> AuditRow:
    return documents.audit_row(action="service restart", target=target, at=utc_text(T0 + at))


def test_a_condition_of_the_drill_shows_the_recovery_and_the_last_change_before_it_mitigates() -> None:
    both = [restart(12, "alertmanager"), restart(15, "prometheus")]
    held = [11.0, 12.0, *(float(second) for second in range(18, 101))]
    found = milestones.read(incident(notice(10, 13), actions=both, restored=WHOLE, held=held), [])
    assert (found["resolved"], found["recovered"], found["action"]) == (13, 18, 15)


@pytest.mark.parametrize("held", [[], [20.0, 21.0, 22.0]], ids=["never", "not to the end"])
def test_without_its_condition_an_incident_has_neither_recovered_nor_been_mitigated(held: list[float]) -> None:
    found = milestones.read(incident(notice(10, 13), actions=[restart(12, "x")], restored=WHOLE, held=held), [])
    assert (found["resolved"], found["recovered"], found["action"]) == (13, None, None)


def test_the_timeline_names_who_raised_the_page_and_always_has_the_injection() -> None:
    own = documents.page(fingerprint=own_pages.fingerprint("Watchdog"), starts_at=utc_text(T0 + 10))
    for page, fired_by, sent_by in ((notice(10, 13), "prometheus", "alertmanager"), (own, "pager", "pager")):
        made = incident(page)
        found = milestones.read(made, [])
        milestones.put_on_timeline(made, {**found, "resolved": 13.0}, {})
        by = {row.kind: row.by for row in made.timeline}
        assert (by["firing"], by["page"], by["resolved"]) == (fired_by, sent_by, sent_by)
        assert [(row.title, row.t_seconds) for row in made.timeline if row.kind == "inject"] == [
            ("Fault injected: process-signal", 0.0)
        ]
