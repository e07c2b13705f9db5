"""The change log: what is a change, its risk class, its outcome, and the figures of many."""

from __future__ import annotations

from typing import Any

import pytest
from documents import audit_row, page

from lab.change.log import Change, changes, figures, marks
from lab.clients.documents import AuditRow, Page
from lab.drills.undo.journal import CLEANER


def at(second: int) -> str:
    return f"2026-01-02T03:{second // 60:02}:{second % 60:02}.000Z"


def row(second: int, action: str, target: str = "gateway", old: Any = None, new: Any = None, **more: Any) -> AuditRow:
    return audit_row(id=str(second), at=at(second), action=action, target=target, old=old, new=new, **more)


def paged(start: int, end: int | None, **more: Any) -> Page:
    return page(received_at=at(start), resolved_at=None if end is None else at(end), **more)


def config(second: int, old: int, new: int, **more: Any) -> AuditRow:
    """A push of a new pool size. Every push has a new version; a rollback has an old one."""
    action = more.pop("action", "config push")
    before, after = ({"version": version, "settings": {"pool_max": version}} for version in (old, new))
    return row(second, action, "feed", before, after, **more)


def outcomes(log: list[Change]) -> list[tuple[str, str, bool]]:
    return [(change.risk, change.outcome, change.failed) for change in log]


def test_a_change_has_what_who_when_the_way_back_and_what_came_of_it() -> None:
    (change,) = changes([row(1, "flag set", "serve-stale", False, True, reason="database is slow")], [])
    assert change == Change(
        id="1", at=at(1), by="ada", action="flag set", target="serve-stale", what="flag set serve-stale: off → on",
        risk="normal", reason="database is slow", take_back="fleetops flag set serve-stale off", outcome="done",
    )  # fmt: skip


def test_what_takes_a_change_back_is_its_outcome_and_no_change() -> None:
    (change,) = changes([config(1, 0, 4), config(9, 4, 0, action="config rollback")], [])
    assert (change.outcome, change.ended_at, change.failed, change.recovery_seconds) == ("taken back", at(9), True, 8)


def test_a_setting_put_back_takes_back_every_change_since() -> None:
    rows = [row(1, "scale", "feed", 2, 3), row(2, "scale", "user", 2, 3), row(3, "scale", "feed", 3, 5)]
    log = changes([*rows, row(9, "scale", "feed", 5, 2)], [])
    assert [(change.target, change.outcome) for change in log] == [
        ("feed", "taken back"), ("user", "done"), ("feed", "taken back"),
    ]  # fmt: skip


def test_a_change_of_several_settings_is_taken_back_with_the_last_of_them() -> None:
    old, new = {"client_burst": 20, "client_per_second": 10}, {"client_burst": 40, "client_per_second": 20}
    made = row(1, "ratelimit set", old=old, new=new)
    half = row(2, "ratelimit set", old={"client_burst": 40}, new={"client_burst": 20})
    assert outcomes(changes([made, half], [])) == [("normal", "done", False)]
    rest = row(3, "ratelimit set", old={"client_per_second": 20}, new={"client_per_second": 10})
    assert outcomes(changes([made, half, rest], [])) == [("normal", "taken back", True)]


def test_the_weight_of_the_canary_raised_by_hand_is_one_change() -> None:
    rows = [row(1, "canary weight", old=0.0, new=5.0), row(5, "canary weight", old=5.0, new=50.0)]
    (change,) = changes(rows, [])
    assert (change.what, change.take_back) == ("canary weight: 0 → 5 → 50", "fleetops canary weight 0")
    assert outcomes(changes([*rows, row(9, "canary weight", old=50.0, new=0.0)], [])) == [
        ("normal", "taken back", True)
    ]


@pytest.mark.parametrize(("end", "risk"), [(8, "normal"), (9, "normal"), (10, "emergency"), (None, "emergency")])
def test_a_change_while_a_page_is_open_is_an_emergency(end: int | None, risk: str) -> None:
    (change,) = changes([row(9, "scale", "feed", 2, 3)], [paged(3, end)])
    assert change.risk == risk
    (change,) = changes([row(9, "scale", "feed", 2, 3)], [paged(3, end, severity="ticket")])
    assert change.risk == "normal", "a ticket can wait"


def test_an_emergency_change_that_is_taken_back_has_not_failed() -> None:
    rows = [row(9, "breakers set", old={"user": "off"}, new={"user": "open"})]
    rows.append(row(20, "breakers set", old={"user": "open"}, new={"user": "off"}))
    assert outcomes(changes(rows, [paged(3, 30)])) == [("emergency", "taken back", False)]


def test_a_push_that_did_not_ask_the_policy_is_an_emergency_and_a_staged_one_is_standard() -> None:
    (change,) = changes([config(1, 0, 4, reason="emergency: wrong feeds")], [])
    assert change.risk == "emergency"
    staged = config(1, 0, 4)
    staged.new["stages"] = [50, 100]
    assert [change.risk for change in changes([staged, config(2, 4, 5)], [])] == ["standard", "normal"]


@pytest.mark.parametrize(
    ("second", "service", "kind", "risk"),
    [(9, "feed", "config", "emergency"), (10, "feed", "config", "normal"), (9, "user", "config", "normal"),
     (9, "feed", "rollout", "normal")],
)  # fmt: skip
def test_a_change_under_an_override_of_the_policy_is_an_emergency(
    second: int, service: str, kind: str, risk: str
) -> None:
    override = row(2, "budget override", service, None, {"change": kind, "until": at(10)})
    assert [change.risk for change in changes([override, config(second, 0, 4)], [])] == [risk]


def test_a_change_of_the_same_setting_while_an_alert_fires_fixes_the_one_before() -> None:
    log = changes([config(1, 0, 4), config(9, 4, 5)], [paged(5, 20)])
    assert outcomes(log) == [("normal", "fixed", True), ("emergency", "done", False)]
    assert log[0].recovery_seconds == 19, "from the change to the end of the page"
    assert outcomes(changes([config(1, 0, 4), config(9, 4, 5)], [])) == [("normal", "done", False)] * 2
    older = paged(0, 20, severity="ticket")
    assert outcomes(changes([config(1, 0, 4), config(9, 4, 5)], [older])) == [("normal", "done", False)] * 2


def test_the_ticket_of_a_restart_says_nothing_of_the_push_that_restarts() -> None:
    log = changes([config(1, 0, 4), config(9, 4, 5)], [paged(5, None, severity="ticket", alertname="ProcessRestarted")])
    assert outcomes(log) == [("normal", "done", False)] * 2


def test_a_change_is_not_restored_before_its_page_is_resolved() -> None:
    rows = [config(1, 0, 4), config(9, 4, 0, action="config rollback")]
    (change,) = changes(rows, [paged(5, None)])
    assert (change.failed, change.recovery_seconds) == (True, None)
    (change,) = changes(rows, [paged(5, 12), paged(6, 40, severity="ticket")])
    assert change.recovery_seconds == 11


def test_a_pause_is_taken_back_by_its_resume_and_a_restart_by_nothing() -> None:
    rows = [row(1, "service pause", "user-1", None, ["user-1"]), row(2, "service restart", "user-1", None, ["user-1"])]
    log = changes([*rows, row(3, "service resume", "user-1", None, ["user-1"])], [])
    assert [change.outcome for change in log] == ["taken back", "done"]
    assert changes([row(3, "service resume", "user-1", None, ["user-1"])], []) == []


def test_what_changes_nothing_is_no_change() -> None:
    assert changes([row(1, "incident hint"), row(2, "rollout hold", "feed"), row(3, "scale", "feed", 2, 2)], []) == []


def test_an_action_that_failed_is_a_failed_change_without_a_recovery() -> None:
    failed, pending = (row(2, "scale", "feed", None, 3, outcome=outcome) for outcome in ("failed", "pending"))
    log = changes([failed, pending], [])
    assert outcomes(log) == [("normal", "failed", True), ("normal", "pending", False)]
    assert log[0].recovery_seconds is None
    assert (figures(log).changes, figures(log).failure_rate) == (1, 1.0)


def test_the_clean_up_of_a_drill_takes_changes_back_and_makes_none() -> None:
    rows = [row(1, "shed set", old={"guest_ratio": 0.5}, new={"guest_ratio": 0.1})]
    whole = {"guest_ratio": 0.1, "max_inflight": 60}, {"guest_ratio": 0.5, "max_inflight": 60}
    rows += [
        row(5, "shed set", old=whole[0], new=whole[1], actor=CLEANER),
        row(6, "scale", "feed", 3, 2, actor=CLEANER),
    ]
    assert outcomes(changes(rows, [])) == [("normal", "taken back", True)]


def test_the_figures_are_of_all_changes_and_the_median_of_those_that_recovered() -> None:
    rows = [row(100, "flag set", "a", False, True), row(101, "scale", "feed", 2, 3)]
    for second, length in ((1, 4), (20, 6), (40, 20)):
        rows += [config(second, 0, 4), config(second + length, 4, 0, action="config rollback")]
    found = figures(changes(rows, []))
    assert (found.changes, found.failed, found.failure_rate, found.median_recovery_seconds) == (5, 3, 0.6, 6)
    assert (figures([]).failure_rate, figures([]).median_recovery_seconds) == (None, None)


def test_every_action_that_alters_something_is_marked_also_what_takes_a_change_back() -> None:
    rows = [config(1, 0, 4), row(2, "incident diagnose"), config(9, 4, 0, action="config rollback", actor="bob")]
    assert [(mark.at, mark.by) for mark in marks(rows)] == [(at(1), "ada"), (at(9), "bob")]
    assert marks(rows)[0].what.startswith("config push feed: ")
