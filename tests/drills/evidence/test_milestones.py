"""The milestones of an incident, read from delivered pages and audit rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import documents
import pytest

from lab.clients.documents import Page
from lab.clients.times import epoch_seconds, utc_text
from lab.drills.evidence import milestones
from lab.drills.run.incident import Incident

T0 = epoch_seconds("2026-01-02T03:04:05.000Z")


def notice(fired: float, over: float | None) -> Page:
    return documents.page(
        starts_at=utc_text(T0 + fired),
        received_at=utc_text(T0 + fired + 1),
        resolved_at=None if over is None else utc_text(T0 + over),
    )


def incident(*notices: Page, ended: float = 100) -> Incident:
    stub = SimpleNamespace(
        t0=T0, ended_at=T0 + ended, page=notices[0], slo=None, timeline=[],
        since_t0=lambda at: at - T0, expected=lambda: list(notices), actions=list, responder_actions=list,
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
