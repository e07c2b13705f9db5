"""The pager's API: every alert that Alertmanager delivers is stored once, however often it is repeated."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from flask import Flask
from payloads import alert, payload

from lab.oncall.store import Store

Post = Callable[..., Any]


def rows(app: Flask, of: str, query: str = "") -> list[dict[str, Any]]:
    """The rows that the pager returns for `/api/pages` or `/api/audit`."""
    answer: Any = app.test_client().get(f"/api/{of}{query}").json
    documents: list[dict[str, Any]] = answer[of]
    return documents


def test_a_notification_becomes_a_page_with_everything_a_responder_needs(post: Post, app: Flask) -> None:
    assert post("/alertmanager", payload(alert())).json == {"received": 1, "new_pages": 1}
    (page,) = rows(app, "pages")
    assert page["alertname"] == "FeedLatencyP99Burn"
    assert page["status"] == "firing"
    assert page["severity"] == "page"
    assert page["starts_at"] == "2026-01-31T12:00:00.123Z"
    assert page["runbook_url"].endswith("#feedlatencyp99burn")
    assert page["acked_at"] is None
    assert page["resolved_at"] is None


def test_a_retry_or_a_group_repeat_adds_no_second_page(post: Post, store: Store) -> None:
    post("/alertmanager", payload(alert()))
    assert post("/alertmanager", payload(alert(), alert())).json["new_pages"] == 0
    assert len(store.pages()) == 1


def test_the_next_occurrence_of_an_alert_is_a_page_of_its_own(post: Post, store: Store) -> None:
    post("/alertmanager", payload(alert()))
    post("/alertmanager", payload(alert(status="resolved", endsAt="2026-01-31T12:05:00Z")))
    post("/alertmanager", payload(alert(startsAt="2026-01-31T13:00:00Z")))
    assert [page.status for page in store.pages()] == ["firing", "resolved"]


def test_a_resolved_notice_closes_its_page_and_the_list_of_open_pages_is_empty(post: Post, app: Flask) -> None:
    post("/alertmanager", payload(alert()))
    post("/alertmanager", payload(alert(status="resolved", endsAt="2026-01-31T12:05:00Z")))
    (page,) = rows(app, "pages")
    assert (page["status"], page["resolved_at"]) == ("resolved", "2026-01-31T12:05:00.000Z")
    assert rows(app, "pages", "?state=open") == []


def test_labels_and_annotations_of_a_page_are_those_of_its_first_notification(post: Post, app: Flask) -> None:
    first = {"summary": "feeds are slow", "description": "14.5x at 12:00", "runbook_url": "http://lab/first"}
    labels = {"alertname": "FeedLatencyP99Burn", "severity": "page", "service": "feed", "window": "short"}
    post("/alertmanager", payload(alert(annotations=first, labels=labels)))
    (original,) = rows(app, "pages")
    later = {"summary": "feeds are fine", "description": "0x at 12:05", "runbook_url": "http://lab/later", "also": "x"}
    post("/alertmanager", payload(alert(annotations=later, labels={**labels, "window": "long"})))
    post(
        "/alertmanager",
        payload(alert(annotations=later, labels=labels, status="resolved", endsAt="2026-01-31T12:05:00Z")),
    )
    post("/alertmanager", payload(alert(annotations=later, labels=labels)))
    post(
        "/alertmanager",
        payload(alert(annotations=later, labels=labels, status="resolved", endsAt="2026-01-31T12:06:00Z")),
    )
    (page,) = rows(app, "pages")
    assert (page["status"], page["resolved_at"]) == ("resolved", "2026-01-31T12:06:00.000Z")
    assert page | {"status": "firing", "resolved_at": None} == original
    assert {key: original[key] for key in first} == first == original["annotations"]


def test_a_firing_notice_reopens_its_resolved_page(post: Post, store: Store) -> None:
    post("/alertmanager", payload(alert(status="resolved", endsAt="2026-01-31T12:05:00Z")))
    post("/alertmanager", payload(alert()))
    (page,) = store.pages(only_open=True)
    assert page.resolved_at is None


def test_an_alert_whose_start_moves_while_it_fires_stays_one_page(post: Post, store: Store) -> None:
    """Two replicas of Prometheus report two starts, and either may report the end."""
    for start in ("12:00:00Z", "12:00:30Z", "11:59:50Z"):
        post("/alertmanager", payload(alert(startsAt=f"2026-01-31T{start}")))
        post("/api/pages/1/ack", {"by": "ada"})
    (page,) = store.pages()
    assert (page.status, page.acked_by) == ("firing", "ada")
    end = alert(status="resolved", startsAt="2026-01-31T12:00:30Z", endsAt="2026-01-31T12:05:00Z")
    post("/alertmanager", payload(end))
    assert [page.status for page in store.pages()] == ["resolved"]


def test_a_repeated_old_resolved_notice_does_not_resolve_a_newer_page(post: Post, store: Store) -> None:
    old = payload(alert(status="resolved", endsAt="2026-01-31T12:05:00Z"))
    post("/alertmanager", payload(alert()))
    post("/alertmanager", old)
    post("/alertmanager", payload(alert(startsAt="2026-01-31T13:00:00Z")))
    post("/alertmanager", old)
    assert [page.status for page in store.pages()] == ["firing", "resolved"]


def test_open_pages_can_be_closed_up_to_a_timestamp(post: Post, store: Store) -> None:
    post("/alertmanager", payload(alert()))
    assert post("/api/pages/close", {"before": "2020-01-01T00:00:00Z"}).json == {"closed": 0}
    assert post("/api/pages/close", {"before": "2999-01-01T00:00:00Z"}).json == {"closed": 1}
    assert store.pages(only_open=True) == []


def test_a_second_ack_changes_nothing_and_names_the_first_responder(post: Post) -> None:
    post("/alertmanager", payload(alert()))
    first = post("/api/pages/1/ack", {"by": "ada"}).json
    second = post("/api/pages/1/ack", {"by": "grace"}).json
    assert (first["acked_by"], first["acked_by_this_call"]) == ("ada", True)
    assert (second["acked_by"], second["acked_by_this_call"]) == ("ada", False)
    assert first["acked_at"] == second["acked_at"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("text", "not a JSON object"),
        ({"version": "4"}, "no list of alerts"),
        ({"version": "4", "alerts": {"0": alert()}}, "no list of alerts"),
        (payload(), "no list of alerts"),
    ],
)
def test_a_webhook_without_alerts_is_refused_in_one_line_and_stores_nothing(
    post: Post, store: Store, body: Any, named: str
) -> None:
    answer = post("/alertmanager", body)
    assert answer.status_code == 400
    assert named in answer.json["error"]
    assert "\n" not in answer.json["error"]
    assert store.pages() == []


def test_an_ack_without_a_name_and_an_unknown_page_are_refused(post: Post) -> None:
    post("/alertmanager", payload(alert()))
    assert post("/api/pages/1/ack", {"by": " "}).status_code == 400
    assert post("/api/pages/1/ack", {}).status_code == 400
    assert post("/api/pages/9/ack", {"by": "ada"}).status_code == 404


def test_requests_without_the_token_or_from_another_site_are_refused(post: Post, app: Flask, store: Store) -> None:
    assert app.test_client().post("/alertmanager", json=payload(alert())).status_code == 401
    assert post("/alertmanager", payload(alert()), Authorization="Bearer guess").status_code == 401
    assert post("/alertmanager", payload(alert()), Origin="http://evil.example").status_code == 403
    assert post("/alertmanager", payload(alert()), Host="evil.example").status_code == 403
    assert app.test_client().get("/api/pages", headers={"Host": "evil.example"}).status_code == 403
    assert store.pages() == []


def test_the_inbox_escapes_labels_and_drops_script_links(post: Post, app: Flask) -> None:
    hostile = alert(
        labels={"alertname": "<script>alert(1)</script>", "severity": "page"},
        annotations={"summary": "<img src=x onerror=1>", "runbook_url": "javascript:alert(1)"},
    )
    post("/alertmanager", payload(hostile))
    page = app.test_client().get("/")
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "<img" not in page.text
    assert "javascript:" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_an_audit_row_goes_from_pending_to_done_once_and_never_changes_again(post: Post, app: Flask) -> None:
    row = {"id": "r1", "at": "2026-01-31T12:00:00Z", "actor": "ada", "action": "canary weight", "target": "gateway"}
    post("/api/audit", {**row, "new": 0, "outcome": "pending"})
    post("/api/audit", {**row, "old": 50, "new": 0, "outcome": "done"})
    post("/api/audit", {**row, "actor": "mallory", "old": 1, "new": 2, "outcome": "failed"})
    (stored,) = rows(app, "audit")
    assert stored == {**row, "at": "2026-01-31T12:00:00.000Z", "old": 50, "new": 0, "outcome": "done", "reason": ""}


def test_the_audit_log_can_be_read_from_a_timestamp_on(post: Post, app: Flask) -> None:
    for hour in (11, 12, 13):
        at = f"2026-01-31T{hour}:00:00Z"
        post("/api/audit", {"at": at, "actor": "a", "action": "x", "target": "y", "outcome": "done"})
    later = rows(app, "audit", "?since=2026-01-31T12:00:00Z")
    assert [row["at"][11:13] for row in later] == ["12", "13"]
    for bad in ("soon", "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "2026-01-31T12:00:00"):
        answer: Any = app.test_client().get(f"/api/audit?since={bad}")
        assert answer.status_code == 400
        assert "is not a timestamp" in answer.json["error"]


def test_the_whole_audit_log_is_read_or_its_last_rows(app: Flask, store: Store) -> None:
    """The ledger and the change log count every row, however many there are."""
    with closing(sqlite3.connect(store.path, isolation_level=None)) as db:
        db.executemany(
            "INSERT INTO audit (id, at, actor, action, target, old, new, outcome, reason)"
            " VALUES (?, '2026-01-31T12:00:00.000Z', 'a', 'x', 'y', 'null', 'null', 'done', '')",
            [(str(number),) for number in range(1500)],
        )
    assert len(rows(app, "audit")) == 1500
    assert [row["id"] for row in rows(app, "audit", "?last=2")] == ["1498", "1499"]
    for bad in ("0.5", "-1", "many", "9" * 20, "\u0661"):
        answer: Any = app.test_client().get("/api/audit", query_string={"last": bad})
        assert (answer.status_code, "must be a number of rows" in answer.json["error"]) == (400, True)


@pytest.mark.parametrize("number", ["0", str(2**31), str(2**63), "1" * 5000])
def test_a_page_id_that_no_store_can_hold_is_404(post: Post, app: Flask, number: str) -> None:
    assert app.test_client().get(f"/api/pages/{number}").status_code == 404
    assert post(f"/api/pages/{number}/ack", {"by": "ada"}).status_code == 404
