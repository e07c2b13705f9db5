"""The console as an app over fakes of its sources, and browsers that hold its key."""

from __future__ import annotations

import threading
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from sources import TOKEN, MadeUpPager, MadeUpPrometheus, settings, watcher

from lab.console.__main__ import create_app
from lab.console.actions import ConsoleActions
from lab.paths import RUNBOOKS, Home
from lab.stack.console_key import console_key
from lab.telemetry.process import Telemetry


def console_app(
    site: Path,
    draining: threading.Event,
    prometheus: MadeUpPrometheus | None = None,
    pager: MadeUpPager | None = None,
) -> Flask:
    """The console over fakes of its sources, without a lab on this host."""
    sources = watcher(prometheus or MadeUpPrometheus(), pager or MadeUpPager())
    home = Home(site.parent / "home")
    telemetry = Telemetry(settings(home.path))
    telemetry.health.draining = draining
    return create_app(site, sources, ConsoleActions(home, RUNBOOKS), telemetry)


def browser_of(app: Flask) -> FlaskClient:
    """A browser that has opened the console by the URL with its key."""
    client = app.test_client()
    assert client.get(f"/?key={console_key(TOKEN)}").status_code == 303
    return client
