"""The console's API and its pages, with the two sources it reads made up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sources import EVIL, TOKEN, MadeUpPager, MadeUpPrometheus, settings, watcher

from lab.console.__main__ import create_app
from lab.console.actions import Hands
from lab.console.streams import STREAMS, STREAMS_OF_ONE
from lab.paths import RUNBOOKS, Home
from lab.stack.console_key import console_key
from lab.telemetry.process import Telemetry


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "lab").mkdir(parents=True)
    (folder / "assets").mkdir()
    (folder / "index.html").write_text("<h1>tour</h1>")
    (folder / "lab" / "index.html").write_text("<h1>console</h1>")
    (folder / "404.html").write_text("<h1>not here</h1>")
    (folder / "assets" / "console.js").write_text("export {};")
    (folder / "assets" / "main.0123abcd.min.css").write_text("a{}")
    (folder / "assets" / "map.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
def draining() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def console_app(
    site: Path,
    draining: threading.Event,
    prometheus: MadeUpPrometheus | None = None,
    pager: MadeUpPager | None = None,
) -> Flask:
    """The console over made-up sources, of a lab that does not run here."""
    sources = watcher(prometheus or MadeUpPrometheus(), pager or MadeUpPager())
    home = Home(site.parent / "home")
    telemetry = Telemetry(settings(home.path))
    telemetry.health.draining = draining
    return create_app(site, sources, Hands(home, RUNBOOKS), telemetry)


@pytest.fixture
def app(site: Path, draining: threading.Event) -> Flask:
    return console_app(site, draining)


def browser_of(app: Flask) -> FlaskClient:
    """A browser that was opened with the console's key."""
    client = app.test_client()
    assert client.get(f"/?key={console_key(TOKEN)}").status_code == 303
    return client


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return browser_of(app)


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("/", "text/html", "no-cache"),
        ("/lab/", "text/html", "no-cache"),
        ("/assets/console.js", "text/javascript", "no-cache"),
        ("/assets/map.svg", "image/svg+xml", "no-cache"),
        ("/assets/main.0123abcd.min.css", "text/css", "immutable"),
    ],
)
def test_the_site_is_served_with_its_types_and_only_hashed_names_are_kept(
    client: FlaskClient, path: str, kind: str, cache: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.mimetype == kind
    assert cache in answer.headers["Cache-Control"]
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_unchanged_page_is_not_sent_twice(client: FlaskClient) -> None:
    tag = client.get("/").headers["ETag"]
    assert client.get("/", headers={"If-None-Match": tag}).status_code == 304


def test_a_folder_without_its_slash_is_redirected_inside_the_site(client: FlaskClient) -> None:
    answer = client.get("/lab?x=1")
    assert (answer.status_code, answer.headers["Location"]) == (308, "/lab/?x=1")
    assert client.get("/lab", environ_overrides={"QUERY_STRING": "\xff"}).status_code == 308


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/nothing/", "/../secret.txt", "/%2e%2e/secret.txt", "/assets/", f"/{'x' * 300}", "/a%00b"],
)
def test_what_is_not_there_is_the_sites_own_404_page(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "not here" in answer.text


def test_an_unknown_api_path_is_a_json_404(client: FlaskClient) -> None:
    answer = client.get("/api/nothing")
    assert answer.status_code == 404
    assert answer.get_json()["error"]


def test_a_site_that_is_not_built_is_said_in_one_line(tmp_path: Path, draining: threading.Event) -> None:
    app = console_app(tmp_path / "none", draining, MadeUpPrometheus(), MadeUpPager())
    answer = app.test_client().get("/")
    assert answer.status_code == 503
    assert "make site" in answer.text


def test_events_are_the_picture_once_a_second_until_the_process_drains(
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


def test_streams_are_bounded_for_each_browser_and_in_all_and_given_back(app: Flask) -> None:
    browsers = [browser_of(app) for _ in range(STREAMS // STREAMS_OF_ONE + 1)]
    held = [browser.get("/api/events") for browser in browsers[:-1] for _ in range(STREAMS_OF_ONE)]
    assert {answer.status_code for answer in held} == {200}
    refused = browsers[-1].get("/api/events")
    assert (refused.status_code, "open already" in refused.get_json()["error"]) == (503, True)
    held.pop().close()
    last = browsers[-1].get("/api/events")
    assert last.status_code == 200
    held.pop(0).close()
    assert browsers[0].get("/api/events").status_code == 200  # it holds the rest of its share, and had one place free
    refused = browsers[0].get("/api/events")
    assert (refused.status_code, "in this browser" in refused.get_json()["error"]) == (503, True)


def test_an_ack_is_passed_to_the_pager(site: Path, draining: threading.Event) -> None:
    pager = MadeUpPager()
    client = browser_of(console_app(site, draining, MadeUpPrometheus(), pager))
    answer = client.post("/api/pages/7/ack", json={"by": "ada"})
    assert answer.get_json()["acked_by"] == "ada"
    assert pager.acked == [(7, "ada")]


DEEDS = {
    "/api/pages/7/ack": {},
    "/api/run": {"command": "fleetops canary weight 0"},
    "/api/drills": {"id": "D0", "responder": "human"},
    "/api/drills/stop": {},
}


@pytest.mark.parametrize("path", DEEDS)
@pytest.mark.parametrize("by", [5, None, "", " \n", "\0", []])
def test_a_deed_without_a_name_is_refused_and_does_nothing(
    site: Path, draining: threading.Event, path: str, by: Any
) -> None:
    pager = MadeUpPager()
    answer = browser_of(console_app(site, draining, MadeUpPrometheus(), pager)).post(
        path, json=DEEDS[path] | {"by": by}
    )
    assert answer.status_code == 400
    assert answer.get_json()["error"]
    assert pager.acked == []


@pytest.mark.parametrize("path", DEEDS)
@pytest.mark.parametrize("body", [{}, [], 1, {"by": "ada", "also": 1}])
def test_a_deed_of_another_shape_is_refused(client: FlaskClient, path: str, body: Any) -> None:
    if body == {"by": "ada", "also": 1} and path == "/api/pages/7/ack":
        body = "ada"
    answer = client.post(path, json=body)
    assert answer.status_code == 400
    assert answer.get_json()["error"]


@pytest.mark.parametrize("number", ["0", "9223372036854775808", "1" * 30, "9" * 5000])
def test_a_page_id_that_no_page_has_is_404_in_words(client: FlaskClient, number: str) -> None:
    answer = client.post(f"/api/pages/{number}/ack", json={"by": "ada"})
    assert answer.status_code == 404
    assert answer.get_json()["error"]


@pytest.mark.parametrize(
    "path", ["/" + "x" * 300, "/" + "x" * 300 + "/", "/lab\0", "/lab%00/", "/" + "y/" * 3000, "/%ff"]
)
def test_a_path_that_no_file_system_can_hold_is_the_404_page(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_query_of_any_bytes_is_passed_on(client: FlaskClient) -> None:
    answer = client.get("/lab", environ_overrides={"QUERY_STRING": "x=\xff\xfe"})
    assert answer.status_code == 308
    assert answer.headers["Location"].startswith("/lab/?x=")


def test_a_lab_says_that_it_is_live(client: FlaskClient) -> None:
    answer = client.get("/api/source.json")
    assert answer.get_json() == {"live": True, "key": True}
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_query_is_answered_now_and_over_the_last_minutes_and_coloured_to_the_character(client: FlaskClient) -> None:
    text = 'sum(rate(slo:sli_error:ratio_rate5s{sloth_id="x"}[10s])) > 0.1'
    tokens = client.get("/api/tokens", query_string={"query": text}).get_json()["tokens"]
    assert "".join(piece for _, piece in tokens) == text
    assert ["nv", "slo:sli_error:ratio_rate5s"] in tokens
    answer = client.get("/api/query", query_string={"query": "up"}).get_json()
    assert answer["rows"][0]["labels"].startswith("{instance=")
    assert len(answer["lines"][0]["values"]) == 151
    for empty in ("", " ", "x" * 2001):
        assert client.get("/api/query", query_string={"query": empty}).status_code == 400


def test_log_lines_are_those_of_one_request_in_order_and_a_bad_id_is_refused(site: Path, client: FlaskClient) -> None:
    folder = Home(site.parent / "home").logs
    folder.mkdir(parents=True)
    trace = "ab" * 16
    for name, second in (("gateway", "02"), ("feed-1", "01"), ("user-1", "03")):
        line = {
            "ts": f"2026-01-02T03:04:{second}.000Z",
            "event": "request",
            "trace_id": trace,
            "path": EVIL,
            "instance": name,
        }
        (folder / f"{name}.log").write_text(json.dumps(line) + "\n" + json.dumps(line | {"trace_id": "cd" * 16}) + "\n")
    lines = [json.loads(line) for line in client.get(f"/api/logs?trace_id={trace}").get_json()["lines"]]
    assert [line["instance"] for line in lines] == ["feed-1", "gateway", "user-1"]
    assert client.get("/api/requests").get_json()["requests"][0]["path"] == EVIL
    for bad in ("", "ab", "../" * 10 + "ab", "zz" * 16):
        assert client.get("/api/logs", query_string={"trace_id": bad}).status_code == 400


def test_an_unknown_page_is_a_400_and_a_silent_pager_a_502(site: Path, draining: threading.Event) -> None:
    client = browser_of(console_app(site, draining))
    assert client.post("/api/pages/404/ack", json={"by": "ada"}).status_code == 400
    gone = browser_of(console_app(site, draining, MadeUpPrometheus(), MadeUpPager(gone=True)))
    answer = gone.post("/api/pages/7/ack", json={"by": "ada"})
    assert answer.status_code == 502


def test_labels_travel_as_json_text(client: FlaskClient) -> None:
    answer = client.get("/api/live")
    assert answer.mimetype == "application/json"
    assert answer.get_json()["pages"][0]["alertname"] == EVIL
