"""The built site over HTTP: types, caches, redirects and the 404 page."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from console_app import console_app
from flask.testing import FlaskClient
from sources import MadeUpPager, MadeUpPrometheus


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
def test_the_site_is_served_with_its_types_and_only_hashed_names_are_cached(
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
def test_an_unknown_path_gets_the_404_page_of_the_site(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "not here" in answer.text


def test_a_missing_site_is_one_line_that_says_how_to_build_it(tmp_path: Path, draining: threading.Event) -> None:
    app = console_app(tmp_path / "none", draining, MadeUpPrometheus(), MadeUpPager())
    answer = app.test_client().get("/")
    assert answer.status_code == 503
    assert "make site" in answer.text


@pytest.mark.parametrize(
    "path", ["/" + "x" * 300, "/" + "x" * 300 + "/", "/lab\0", "/lab%00/", "/" + "y/" * 3000, "/%ff"]
)
def test_a_path_that_no_file_system_can_hold_is_the_404_page(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_query_of_any_bytes_is_passed_on(client: FlaskClient) -> None:
    answer = client.get("/lab", environ_overrides={"QUERY_STRING": "x=\xff\xfe"})
    assert answer.status_code == 308
    assert answer.headers["Location"].startswith("/lab/?x=")
