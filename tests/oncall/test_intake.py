"""Malformed alerts, storms and truncated notifications: whatever cannot be read becomes a page that says so."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from payloads import alert, payload

from lab.clients.times import utc_text
from lab.oncall import intake, webhook
from lab.oncall.app import PageCounts
from lab.oncall.store import Store

pytestmark = pytest.mark.batch

Post = Callable[..., Any]
NAMELESS = {"severity": "page", "service": "feed"}


def raw(app: Flask, body: bytes | str) -> Any:
    headers = {"Authorization": "Bearer a-token-of-sixteen-or-more", "Content-Type": "application/json"}
    return app.test_client().post("/alertmanager", data=body, headers=headers)


@pytest.mark.parametrize(
    ("odd", "name", "flaw"),
    [
        (alert(labels=NAMELESS), webhook.PLACEHOLDER, "alerts[1].labels has no alertname"),
        (alert(labels={"alertname": 7}), webhook.PLACEHOLDER, "alerts[1].labels.alertname is not a string"),
        (alert(labels={"alertname": "  "}), webhook.PLACEHOLDER, "has no alertname"),
        (alert(labels=["x"]), webhook.PLACEHOLDER, "alerts[1].labels is not an object"),
        (alert("Odd", annotations={"summary": {"deep": 1}}), "Odd", "annotations.summary is not a string"),
        (alert("Odd", annotations="none"), "Odd", "alerts[1].annotations is not an object"),
        (alert("Odd", startsAt="soon"), "Odd", "alerts[1].startsAt: 'soon'"),
        (alert("Odd", startsAt="0001-01-01T00:00:00+14:00"), "Odd", "alerts[1].startsAt"),
        (alert("Odd", fingerprint=""), "Odd", "alerts[1].fingerprint is missing"),
        (alert("Odd", status="burning"), "Odd", "alerts[1].status must be"),
        ("only text", webhook.PLACEHOLDER, "alerts[1] is not an object"),
        (None, webhook.PLACEHOLDER, "alerts[1] is not an object"),
    ],
)
def test_a_malformed_alert_becomes_a_page_that_quotes_it_and_the_other_alerts_are_kept(
    post: Post, store: Store, odd: Any, name: str, flaw: str
) -> None:
    answer = post("/alertmanager", payload(alert("First"), odd, alert("Last")))
    assert (answer.status_code, answer.json["received"]) == (200, 3)
    pages = {page.alertname: page for page in store.pages(only_open=True)}
    assert set(pages) == {"First", name, "Last"}
    assert flaw in pages[name].description
    assert "As received: " + json.dumps(odd, sort_keys=True)[:40] in pages[name].description
    assert pages[name].severity == "page"
    assert pages[name].runbook_url


def test_null_annotations_are_accepted_as_empty(post: Post, store: Store) -> None:
    post("/alertmanager", payload(alert(annotations=None)))
    (page,) = store.pages()
    assert (page.alertname, page.description) == ("FeedLatencyP99Burn", "")


def test_an_alert_without_name_and_fingerprint_resolves_its_page(post: Post, store: Store) -> None:
    post("/alertmanager", payload(alert(labels=NAMELESS, fingerprint=None)))
    over = alert(labels=NAMELESS, fingerprint=None, status="resolved", endsAt="2026-01-31T12:05:00Z")
    post("/alertmanager", payload(over))
    assert [page.status for page in store.pages()] == ["resolved"]


def test_another_version_of_the_webhook_is_parsed(post: Post, store: Store) -> None:
    assert post("/alertmanager", {"version": "5", "alerts": [alert()]}).status_code == 200
    assert len(store.pages()) == 1


def test_an_integer_of_five_thousand_digits_loses_no_page(app: Flask, store: Store) -> None:
    body = json.dumps(payload(alert("Kept"), alert(annotations={"n": 0}))).replace('"n": 0', f'"n": {"9" * 5000}')
    assert raw(app, body).status_code == 200
    assert "Kept" in {page.alertname for page in store.pages()}


def test_invalid_utf_8_and_deep_nesting_cause_no_server_error(app: Flask, store: Store) -> None:
    assert raw(app, json.dumps(payload(alert("Kept"))).encode().replace(b"slow", b"\xff\xfe")).status_code == 200
    assert len(store.pages()) == 1
    assert raw(app, '{"alerts": ' + "[" * 50_000 + "]" * 50_000 + "}").status_code in (200, 400)


@pytest.mark.parametrize("depth", range(900, 1000, 2))
def test_no_depth_of_an_alert_without_labels_causes_a_server_error(app: Flask, store: Store, depth: int) -> None:
    assert raw(app, f'{{"alerts": [{{"x": {"[" * depth}{"]" * depth}}}]}}').status_code in (200, 400)


def test_a_number_of_alerts_left_out_that_is_beyond_all_floats_loses_no_page(app: Flask, store: Store) -> None:
    body = json.dumps({**payload(alert("Kept")), "truncatedAlerts": int("9" * 399)})
    assert raw(app, body).status_code == 200
    assert "Kept" in {page.alertname for page in store.pages()}


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.sampled_from(["firing", "resolved"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(odd=st.lists(JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(alert(), JSON)), max_size=4))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_valid_alert_is_stored_whatever_stands_beside_it(post: Post, app: Flask, store: Store, odd: Any) -> None:
    with sqlite3.connect(store.path) as db:
        db.execute("DELETE FROM pages")
    assert post("/alertmanager", payload(*odd, alert("Kept"), *odd)).status_code == 200
    listed: Any = app.test_client().get("/api/pages").json
    assert "Kept" in {page["alertname"] for page in listed["pages"]}
    assert app.test_client().get("/").status_code == 200
    assert list(PageCounts(store).collect())


def test_unprintable_text_is_replaced_on_receipt_and_a_cut_is_marked(post: Post, app: Flask, store: Store) -> None:
    """A lone surrogate, a NUL, an escape sequence, a string of a million characters."""
    odd = alert("Odd\ud800\x00", annotations={"summary": "\x1b[2Jgone\udfff", "description": "x" * 1_000_000})
    odd["labels"]["severity"] = "page\ud800"
    assert post("/alertmanager", payload(odd)).status_code == 200
    (page,) = store.pages()
    assert (page.alertname, page.summary) == ("Odd\ufffd\ufffd", "\ufffd[2Jgone\ufffd")
    assert len(page.description) < 10_000
    assert page.description.endswith("(cut; 1000000 characters in all)")
    assert app.test_client().get("/").status_code == 200
    assert list(PageCounts(store).collect())


@pytest.mark.parametrize(
    ("column", "stored"),
    [
        ("labels", '{"alertname": "Old", "severity": "p\\ud800"}'),
        ("labels", "{not json"),
        ("labels", "[1, 2]"),
        ("annotations", '{"summary": "\\udfff"}'),
        ("annotations", '{"summary": NaN}'),
        ("annotations", "null"),
        ("acked_by", b"\xff\xfe"),
        ("labels", b"\xff\xfe"),
    ],
)
def test_a_damaged_row_breaks_neither_the_list_nor_the_inbox_nor_the_metrics(
    post: Post, app: Flask, store: Store, column: str, stored: str | bytes
) -> None:
    """Older pagers stored text unchecked."""
    post("/alertmanager", payload(alert("Old"), alert("New")))
    with sqlite3.connect(store.path) as db:
        db.execute(f"UPDATE pages SET {column} = ? WHERE id = 1", (stored,))  # noqa: S608 - a column name from the test
    client = app.test_client()
    listed: Any = client.get("/api/pages").json
    assert [page["id"] for page in listed["pages"]] == [2, 1]
    json.dumps(listed, ensure_ascii=False).encode()  # no lone surrogate, which a terminal could not show
    assert client.get("/").status_code == 200
    assert client.get("/api/pages/1").status_code == 200
    assert sum(sample.value for metric in PageCounts(store).collect() for sample in metric.samples) == 2


def test_every_open_page_is_listed_and_the_resolved_pages_left_out_are_counted(post: Post, app: Flask) -> None:
    post("/alertmanager", payload(alert("Oldest", fingerprint="oldest")))
    storm = [alert("Storm", fingerprint=f"{number}") for number in range(900)]
    post("/alertmanager", payload(*storm))
    listed: Any = app.test_client().get("/api/pages?state=open").json
    assert len(listed["pages"]) == 901
    assert listed["pages"][-1]["alertname"] == "Oldest"
    over = {"status": "resolved", "endsAt": "2026-01-31T12:05:00Z"}
    post("/alertmanager", payload(*({**fields, **over} for fields in storm)))
    listed = app.test_client().get("/api/pages").json
    assert (len(listed["pages"]), listed["resolved_left_out"]) == (501, 400)


def test_the_dead_mans_switch_finds_its_own_page_among_hundreds(
    post: Post, store: Store, switch: Any, clock: Any
) -> None:
    """One page per silence, which resolves, however many other pages are open."""

    def pages() -> list[str]:
        with sqlite3.connect(store.path) as db:
            return [status for (status,) in db.execute("SELECT status FROM pages WHERE labels LIKE '%Watchdog%'")]

    def pass_time(seconds: int) -> None:
        for _ in range(seconds):
            clock.seconds += 1
            switch.check()

    pass_time(100)
    post("/alertmanager", payload(*(alert("Storm", fingerprint=f"{number}") for number in range(600))))
    pass_time(5)
    assert pages() == ["firing"]
    post("/watchdog", payload(alert("Watchdog")))
    assert pages() == ["resolved"]


def test_a_page_reports_alerts_that_alertmanager_left_out_until_the_group_is_complete_again(
    post: Post, store: Store
) -> None:
    cut = {**payload(alert()), "truncatedAlerts": 37}
    assert post("/alertmanager", cut).json["truncated_alerts"] == 37
    post("/alertmanager", cut)
    (page,) = (page for page in store.pages(only_open=True) if page.alertname == intake.TRUNCATED)
    assert (page.severity, page.summary) == ("page", "37 alerts were left out")
    post("/alertmanager", {**payload(alert()), "groupKey": "another"})
    assert len(store.pages(only_open=True)) == 2
    post("/alertmanager", payload(alert()))
    assert [page.alertname for page in store.pages(only_open=True)] == ["FeedLatencyP99Burn"]


def test_a_storm_and_an_annotation_of_one_mebibyte_are_stored(post: Post, store: Store) -> None:
    storm = [alert("Storm", fingerprint=f"{number}", annotations={"summary": "x" * 800}) for number in range(1300)]
    assert post("/alertmanager", payload(*storm, alert("GatewayDown"))).status_code == 200
    assert post("/alertmanager", payload(alert("Long", annotations={"a": "x" * 2**20}))).status_code == 200
    assert len(store.pages(only_open=True)) == 1302


def test_an_oversized_notification_is_refused_and_a_page_quotes_its_beginning(
    app: Flask, post: Post, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps(payload(alert("TooMuch", annotations={"a": "x" * intake.MAX_BYTES})))
    for _ in range(2):
        answer = raw(app, body)
        assert (answer.status_code, str(len(body)) in answer.text) == (413, True)
    (page,) = store.pages(only_open=True)
    assert page.alertname == intake.REFUSED
    assert f"{len(body)} bytes" in page.description
    assert "TooMuch" in page.description
    post("/watchdog", payload(alert("Watchdog")))
    assert len(store.pages(only_open=True)) == 1
    monkeypatch.setattr("lab.oncall.intake.time.monotonic", lambda: float("inf"))
    post("/watchdog", payload(alert("Watchdog")))
    assert store.pages(only_open=True) == []


@pytest.mark.parametrize("page_id", ["9223372036854775808", "9" * 5000, "-1", "0", "x", "%EF%BF%BD"])
def test_a_page_id_that_no_page_can_have_is_not_found(post: Post, app: Flask, page_id: str) -> None:
    assert app.test_client().get(f"/api/pages/{page_id}").status_code == 404
    assert post(f"/api/pages/{page_id}/ack", {"by": "ada"}).status_code == 404


@pytest.mark.parametrize(
    "instant", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00", "2026-01-31T12:00:00", "\ud800"]
)
def test_a_timestamp_that_has_no_utc_form_is_refused(post: Post, app: Flask, instant: str) -> None:
    assert post("/api/pages/close", {"before": instant}).status_code == 400
    row = {"at": instant, "actor": "a", "action": "x", "target": "y", "outcome": "done"}
    assert post("/api/audit", row).status_code == 400


def test_the_earliest_timestamp_can_be_written() -> None:
    assert utc_text(-62135596800) == "0001-01-01T00:00:00.000Z"


def test_unprintable_text_in_an_audit_row_is_replaced(post: Post, app: Flask) -> None:
    row = {"actor": "a\udcff", "action": "flag set", "target": "x\x00", "outcome": "done", "reason": "\udcff\udcfe"}
    assert post("/api/audit", {**row, "new": {"\ud800": ["\ud800"]}}).status_code == 200
    stored: Any = app.test_client().get("/api/audit").json
    assert (stored["audit"][0]["actor"], stored["audit"][0]["reason"]) == ("a\ufffd", "\ufffd\ufffd")
    assert stored["audit"][0]["new"] == {"\ufffd": ["\ufffd"]}
    assert app.test_client().get("/").status_code == 200
