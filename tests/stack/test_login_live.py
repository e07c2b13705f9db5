"""Prometheus and Alertmanager of the running lab require its login, and an active silence is visible."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from embedded import EmbeddedLab
from polling import eventually

from lab.clients.alertmanager import Alertmanager
from lab.clients.http import login_headers
from lab.clients.prometheus import Prometheus
from lab.names import LOGIN_USER, SILENCES_ACTIVE
from lab.stack.programs import url

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240, func_only=True)]
SILENCE = {
    "matchers": [{"name": "alertname", "value": "NeverFires", "isRegex": False}],
    "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z", "createdBy": "a test", "comment": "test",
}  # fmt: skip


def http_status(address: str, body: Any = None, **headers: str) -> int:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("path", ["/-/ready", "/metrics", "/api/v1/query?query=up", "/api/v1/status/config"])
def test_prometheus_rejects_requests_without_the_login_for_any_host_name(lab: EmbeddedLab, path: str) -> None:
    address = f"{url(lab.ports.prometheus)}{path}"
    assert http_status(address) == 401
    assert http_status(address, Host="evil.example") == 401


def test_requests_of_another_origin_change_nothing_in_alertmanager(lab: EmbeddedLab) -> None:
    address = url(lab.ports.alertmanager)
    invented = [{"labels": {"alertname": "Invented", "severity": "page"}}]
    assert http_status(f"{address}/api/v2/silences", SILENCE, Origin="http://evil.example") == 401
    assert http_status(f"{address}/api/v2/alerts", invented, Origin="http://evil.example") == 401
    assert Alertmanager.of(lab.home, lab.ports).silences() == []


def test_an_active_silence_is_shown_exported_and_never_deleted_by_a_drill(lab: EmbeddedLab) -> None:
    alertmanager, prometheus = Alertmanager.of(lab.home, lab.ports), Prometheus.of(lab.home, lab.ports)
    login = login_headers(LOGIN_USER, lab.home.token.read_text().strip())["authorization"]
    address = url(lab.ports.alertmanager)
    assert http_status(f"{address}/api/v2/silences", SILENCE, Authorization=login) == 200
    (silence,) = alertmanager.silences()
    try:
        assert lab.status()["silences"] == [str(silence)]
        assert str(silence) in lab.fleetops("status").stdout
        assert silence.ident in lab.fleetops("doctor").stdout
        assert eventually(lambda: prometheus.number(SILENCES_ACTIVE) == 1, 20)
        drill = lab.fleetops("drill", "run", "INC-001")
        assert drill.returncode == 2
        assert f"would delete an active silence, {silence}" in drill.stderr
        assert alertmanager.silences() == [silence]
    finally:
        request = urllib.request.Request(f"{address}/api/v2/silence/{silence.ident}", method="DELETE")
        request.add_header("Authorization", login)
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200
    assert eventually(lambda: prometheus.number(SILENCES_ACTIVE) == 0, 20)


def test_status_shows_the_login(lab: EmbeddedLab) -> None:
    assert f"user {LOGIN_USER}, password in {lab.home.token}" in lab.fleetops("status").stdout
