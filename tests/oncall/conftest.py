"""A pager's store and app behind its guard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from lab.oncall.app import create_app
from lab.oncall.store import Store
from lab.telemetry.guard import Guard
from lab.telemetry.settings import Environment, Settings

TOKEN = "a-token-of-sixteen-or-more"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "pager" / "pager.sqlite3")


@pytest.fixture
def app(store: Store, tmp_path: Path) -> Flask:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    environment = Environment({"FLEETOPS_LISTEN": "127.0.0.1:1", "FLEETOPS_TOKEN_FILE": str(token)})
    app = create_app(store)
    Guard(
        Settings.read("pager", environment=environment, admin=False, token=True), prefix="", open_reads=True
    ).init_app(app)
    return app


@pytest.fixture
def post(app: Flask) -> Callable[..., Any]:
    def send(path: str, body: Any, **headers: str) -> Any:
        return app.test_client().post(path, json=body, headers={"Authorization": f"Bearer {TOKEN}", **headers})

    return send
