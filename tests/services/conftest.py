"""Fixtures for services under test."""

from __future__ import annotations

from pathlib import Path

import pytest
from feed_support import make_feed, users
from lab_clients import clients, gateway, pager, servers
from services_support import TOKEN, MakeTelemetry
from support import free_port

from lab import names
from lab.telemetry.process import Telemetry
from lab.telemetry.settings import Environment, Settings


@pytest.fixture
def make_telemetry(tmp_path: Path) -> MakeTelemetry:
    """Creates a Telemetry for a service, with free addresses. It records spans; the gateway's chooses traces."""
    token = tmp_path / "token"
    token.write_text(TOKEN)

    def make(service: str = "probe", version: str = "1.0.0") -> Telemetry:
        variables = {
            names.ENV_LISTEN: f"127.0.0.1:{free_port()}",
            names.ENV_ADMIN_LISTEN: f"127.0.0.1:{free_port()}",
            names.ENV_TOKEN_FILE: str(token),
            names.ENV_TRACE_SLOW: "0.2",
        }
        settings = Settings.read(service, environment=Environment(variables), version=version)
        return Telemetry(settings, edge=service == "gateway")

    return make


__all__ = ["clients", "gateway", "make_feed", "make_telemetry", "pager", "servers", "users"]
