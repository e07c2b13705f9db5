"""The console's API, over fakes of Prometheus and the pager."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from console_app import browser_of, console_app
from flask.testing import FlaskClient
from sources import EVIL, MadeUpPager, MadeUpPrometheus


def test_an_unknown_api_path_is_a_json_404(client: FlaskClient) -> None:
    answer = client.get("/api/nothing")
    assert answer.status_code == 404
    assert answer.get_json()["error"]


def test_events_send_the_snapshot_once_a_second_until_the_process_drains(
    client: FlaskClient, draining: threading.Event
) -> None:
    answer = client.get("/api/events")
    assert answer.mimetype == "text/event-stream"
    parts = iter(answer.response)
    assert b"retry" in bytes(next(parts))  # type: ignore[arg-type]
    event = bytes(next(parts)).decode()  # type: ignore[arg-type]
    assert event.startswith("data: ")
    assert json.loads(event.removeprefix("data: "))["factor"] == 60
    draining.set()
    assert list(parts) == []


def test_an_ack_is_passed_to_the_pager(site: Path, draining: threading.Event) -> None:
    pager = MadeUpPager()
    client = browser_of(console_app(site, draining, MadeUpPrometheus(), pager))
    answer = client.post("/api/pages/7/ack", json={"by": "ada"})
    assert answer.get_json()["acked_by"] == "ada"
    assert answer.get_json()["acked_by_this_call"] is True
    assert pager.acked == [(7, "ada")]


ACTIONS = {
    "/api/pages/7/ack": {},
    "/api/run": {"command": "fleetops canary weight 0"},
    "/api/drills": {"id": "D0", "responder": "human"},
    "/api/drills/stop": {},
}


@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize("by", [5, None, "", " \n", "\0", []])
def test_an_action_without_a_name_is_refused_and_changes_nothing(
    site: Path, draining: threading.Event, path: str, by: Any
) -> None:
    pager = MadeUpPager()
    answer = browser_of(console_app(site, draining, MadeUpPrometheus(), pager)).post(
        path, json=ACTIONS[path] | {"by": by}
    )
    assert answer.status_code == 400
    assert answer.get_json()["error"]
    assert pager.acked == []


@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize("body", [{}, [], 1, {"by": "ada", "also": 1}])
def test_an_action_with_an_unexpected_body_is_refused(client: FlaskClient, path: str, body: Any) -> None:
    if body == {"by": "ada", "also": 1} and path == "/api/pages/7/ack":
        body = "ada"
    answer = client.post(path, json=body)
    assert answer.status_code == 400
    assert answer.get_json()["error"]


@pytest.mark.parametrize("number", ["0", "9223372036854775808", "1" * 30, "9" * 5000])
def test_an_impossible_page_id_is_a_404_with_an_error(client: FlaskClient, number: str) -> None:
    answer = client.post(f"/api/pages/{number}/ack", json={"by": "ada"})
    assert answer.status_code == 404
    assert answer.get_json()["error"]


def test_a_lab_says_that_it_is_live(client: FlaskClient) -> None:
    answer = client.get("/api/source.json")
    assert answer.get_json() == {"live": True, "key": True}
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_unknown_page_is_a_400_and_a_silent_pager_a_502(site: Path, draining: threading.Event) -> None:
    client = browser_of(console_app(site, draining))
    assert client.post("/api/pages/404/ack", json={"by": "ada"}).status_code == 400
    gone = browser_of(console_app(site, draining, MadeUpPrometheus(), MadeUpPager(gone=True)))
    answer = gone.post("/api/pages/7/ack", json={"by": "ada"})
    assert answer.status_code == 502


def test_labels_are_sent_unchanged_as_json(client: FlaskClient) -> None:
    answer = client.get("/api/live")
    assert answer.mimetype == "application/json"
    assert answer.get_json()["pages"][0]["alertname"] == EVIL
