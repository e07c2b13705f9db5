"""A console over fakes of its sources, and a browser that holds its key."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_app import browser_of, console_app
from flask import Flask
from flask.testing import FlaskClient


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


@pytest.fixture
def app(site: Path, draining: threading.Event) -> Flask:
    return console_app(site, draining)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return browser_of(app)
