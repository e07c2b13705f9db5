"""Settings for apps under test."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import names
from lab.telemetry.settings import Environment, Settings

TOKEN = "a-token-of-some-length"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    variables = {
        names.ENV_LISTEN: "127.0.0.1:8010",
        names.ENV_ADMIN_LISTEN: "127.0.0.1:8011",
        names.ENV_TOKEN_FILE: str(token),
        names.ENV_ALLOWED_HOSTS: "gateway",
    }
    return Settings.read("probe", environment=Environment(variables), version="7.0.0")
