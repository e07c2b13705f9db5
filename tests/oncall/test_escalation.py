"""Escalation: an unacknowledged page goes to the secondary on-call, once, and every view of it shows that."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from payloads import alert, payload

from lab.clients.times import epoch_seconds, utc_text
from lab.oncall import escalation
from lab.oncall.app import PageCounts
from lab.oncall.escalation import AFTER_SECONDS, TO, Escalation
from lab.oncall.store import Store

Post = Callable[..., Any]


def after(store: Store, seconds: float) -> Escalation:
    """The escalation of a store with a clock that is `seconds` ahead."""
    return Escalation(store, lambda: time.time() + seconds)


def escalated(store: Store) -> dict[str, tuple[str | None, str | None]]:
    """(escalated_at, escalated_to) of each page, by alert."""
    return {page.alertname: (page.escalated_at, page.escalated_to) for page in store.pages()}


def test_an_unacknowledged_page_goes_to_the_secondary_on_call_once(post: Post, store: Store) -> None:
    post("/alertmanager", payload(alert()))
    received = epoch_seconds(store.pages()[0].received_at)
    now = received + AFTER_SECONDS - 0.001
    rota = Escalation(store, lambda: now)
    assert rota.check() == []
    assert escalated(store) == {"FeedLatencyP99Burn": (None, None)}
    now = received + AFTER_SECONDS
    (page,) = rota.check()
    assert (page.escalated_at, page.escalated_to) == (utc_text(now), TO)
    now += 1000
    assert rota.check() == []
    assert escalated(store) == {"FeedLatencyP99Burn": (utc_text(received + AFTER_SECONDS), TO)}


def test_acknowledged_pages_resolved_pages_and_tickets_are_not_escalated(post: Post, store: Store) -> None:
    ticket = alert("Ticket", labels={"alertname": "Ticket", "severity": "ticket"})
    over = alert("Over", status="resolved", endsAt="2026-01-31T12:05:00Z")
    post("/alertmanager", payload(alert("Acknowledged"), alert("Over"), ticket, alert("Waiting")))
    post("/alertmanager", payload(over))
    post("/api/pages/1/ack", {"by": "ada"})
    assert [page.alertname for page in after(store, AFTER_SECONDS + 1).check()] == ["Waiting"]


def test_a_page_of_unknown_urgency_is_escalated(post: Post, store: Store) -> None:
    post("/alertmanager", payload(alert("Odd", labels={"alertname": "Odd"}), alert("Damaged")))
    with sqlite3.connect(store.path) as db:
        db.execute("UPDATE pages SET labels = '{not json' WHERE id = 2")
    assert len(after(store, AFTER_SECONDS + 1).check()) == 2


def test_a_restart_neither_loses_an_escalation_nor_repeats_it(post: Post, store: Store) -> None:
    post("/alertmanager", payload(alert()))
    again = Store(store.path)
    (page,) = after(again, AFTER_SECONDS + 3600).check()
    assert after(Store(store.path), AFTER_SECONDS + 7200).check() == []
    assert store.pages()[0].escalated_at == page.escalated_at


def test_an_acknowledgement_after_the_escalation_is_kept_beside_it(post: Post, store: Store) -> None:
    post("/alertmanager", payload(alert()))
    (page,) = after(store, AFTER_SECONDS).check()
    answer = post("/api/pages/1/ack", {"by": "grace"}).json
    assert (answer["acked_by"], answer["escalated_to"], answer["escalated_at"]) == ("grace", TO, page.escalated_at)


def test_the_api_the_inbox_the_metric_and_a_log_line_show_an_escalation(
    post: Post, app: Flask, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[tuple[str, dict[str, Any]]] = []

    class Log:
        def warning(self, event: str, **fields: Any) -> None:
            lines.append((event, fields))

    monkeypatch.setattr(escalation, "get_log", Log)
    post("/alertmanager", payload(alert(), alert("Acknowledged")))
    post("/api/pages/2/ack", {"by": "ada"})
    assert TO not in app.test_client().get("/").text
    after(store, AFTER_SECONDS).check()
    listed: Any = app.test_client().get("/api/pages?state=open").json
    assert [page["escalated_to"] for page in listed["pages"]] == [None, TO]
    assert TO in app.test_client().get("/").text
    (metric,) = PageCounts(store).collect()
    counted = {(sample.labels["acked"], sample.labels["escalated"]): sample.value for sample in metric.samples}
    assert counted == {("false", "true"): 1, ("true", "false"): 1}
    ((event, fields),) = lines
    assert event == "page escalated"
    assert (fields["page"], fields["alert"], fields["to"]) == (1, "FeedLatencyP99Burn", TO)
    assert fields["unacknowledged_seconds"] == pytest.approx(AFTER_SECONDS, abs=5)


def test_every_page_of_a_storm_is_escalated_with_few_log_lines(
    post: Post, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[tuple[str, Any]] = []

    class Log:
        def warning(self, event: str, **fields: Any) -> None:
            lines.append((event, fields.get("pages")))

    monkeypatch.setattr(escalation, "get_log", Log)
    post("/alertmanager", payload(*(alert("Storm", fingerprint=f"{number}") for number in range(600))))
    assert len(after(store, AFTER_SECONDS).check()) == 600
    assert lines == [("page escalated", None)] * 10 + [("more pages escalated", 590)]


OLD_SCHEMA = """
CREATE TABLE pages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, fingerprint TEXT NOT NULL, starts_at TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('firing', 'resolved')), labels TEXT NOT NULL, annotations TEXT NOT NULL,
    received_at TEXT NOT NULL, resolved_at TEXT, acked_at TEXT, acked_by TEXT, UNIQUE (fingerprint, starts_at)
);
INSERT INTO pages (fingerprint, starts_at, status, labels, annotations, received_at) VALUES (
    'f', '2026-01-31T12:00:00.000Z', 'firing', '{"alertname": "Old", "severity": "page"}', '{"summary": "old words"}',
    '2026-01-31T12:00:01.000Z'
);
"""


@pytest.mark.parametrize("half_way", [(), ("ALTER TABLE pages ADD COLUMN escalated_at TEXT",)])
def test_a_store_of_an_older_version_keeps_its_pages_and_can_escalate_them(
    tmp_path: Path, half_way: tuple[str, ...]
) -> None:
    file = tmp_path / "pager.sqlite3"
    with sqlite3.connect(file) as db:
        db.executescript(OLD_SCHEMA)
        for step in half_way:
            db.execute(step)
    store = Store(file)
    (page,) = store.pages()
    assert (page.summary, page.escalated_at, page.escalated_to) == ("old words", None, None)
    (page,) = Escalation(store).check()
    assert (page.alertname, page.escalated_to) == ("Old", TO)
