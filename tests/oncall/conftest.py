"""A pager's store, dead-man's switch and app, with authentication."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from lab.oncall.app import create_app
from lab.oncall.deadman import DeadMansSwitch, Instant
from lab.oncall.store import Store
from lab.telemetry.auth import AdminAuth, require_allowed_host
from lab.telemetry.settings import Environment, Settings

TOKEN = "a-token-of-sixteen-or-more"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "pager" / "pager.sqlite3")


class Clock:
    """A clock that tests advance."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> Instant:
        return Instant(self.seconds, self.seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def switch(store: Store, clock: Clock) -> DeadMansSwitch:
    return DeadMansSwitch(store, "http://127.0.0.1:8000", clock)


@pytest.fixture
def app(store: Store, switch: DeadMansSwitch, tmp_path: Path) -> Flask:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    environment = Environment({"FLEETOPS_LISTEN": "127.0.0.1:1", "FLEETOPS_TOKEN_FILE": str(token)})
    app = create_app(store, switch)
    settings = Settings.read("pager", environment=environment, admin=False, token=True)
    require_allowed_host(app, settings.allowed_hosts)
    AdminAuth(settings, prefix="", open_reads=True).init_app(app)
    return app


@pytest.fixture
def post(app: Flask) -> Callable[..., Any]:
    def send(path: str, body: Any, **headers: str) -> Any:
        return app.test_client().post(path, json=body, headers={"Authorization": f"Bearer {TOKEN}", **headers})

    return send
