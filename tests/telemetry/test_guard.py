"""Controlling a process requires the token, an allowed Host and no foreign Origin."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask, jsonify
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue

from lab.telemetry.body import json_body, number_in, only_keys
from lab.telemetry.process import Telemetry
from lab.telemetry.settings import Settings
from lab.telemetry.web import new_app

TOKEN = "a-token-of-some-length"  # as in conftest.py
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def admin(settings: Settings) -> FlaskClient:
    app: Flask = Telemetry(settings).admin_app()

    @app.put("/admin/knob")
    def knob() -> ResponseReturnValue:
        body = json_body()
        only_keys(body, "turn")
        return jsonify(new=number_in(body, "turn", 0, 10))

    return app.test_client()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong-token-of-some-length"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({**BEARER, "Host": "evil.example"}, 403),
        ({**BEARER, "Host": "127.0.0.1.evil.example:8011"}, 403),
        ({**BEARER, "Host": "[::"}, 403),
        ({**BEARER, "Host": "127.0.0.1:99999"}, 403),
        ({**BEARER, "Host": "127.0.0.1:x"}, 403),
        ({**BEARER, "Origin": "http://evil.example"}, 403),
        ({**BEARER, "Origin": "null"}, 403),
        ({**BEARER, "Host": "127.0.0.1:8011", "Origin": "http://127.0.0.1:8000"}, 403),
        (BEARER, 200),
        ({**BEARER, "Host": "127.0.0.1:8011"}, 200),
        ({**BEARER, "Host": "[::1]:8011"}, 200),
        ({**BEARER, "Host": "gateway:8011"}, 200),
        ({**BEARER, "Host": "127.0.0.1:8011", "Origin": "http://127.0.0.1:8011"}, 200),
    ],
)
def test_admin_requests_need_token_host_and_origin(admin: FlaskClient, headers: dict[str, str], status: int) -> None:
    answer = admin.put("/admin/knob", json={"turn": 3}, headers=headers)
    assert answer.status_code == status
    assert answer.json is not None
    assert ("new" in answer.json) == (status == 200)
    assert status == 200 or "\n" not in answer.json["error"]


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/nothing"])
def test_a_foreign_host_is_rejected_even_where_no_token_is_needed(admin: FlaskClient, path: str) -> None:
    assert admin.get(path, headers={"Host": "evil.example:8011"}).status_code == 403


def test_a_public_app_rejects_foreign_hosts(settings: Settings) -> None:
    """With DNS rebinding, a web page's own host name resolves to 127.0.0.1 and the page could change anything."""
    telemetry, app = Telemetry(settings), new_app("public")
    telemetry.init_app(app)
    changes: list[str] = []

    @app.put("/v1/thing")
    def thing() -> str:
        changes.append("changed")
        return "changed"

    client = app.test_client()
    for host in ("evil.example", "evil.example:8010", "localhost.evil.example", "", "127.0.0.1.evil.example"):
        assert client.put("/v1/thing", headers={"Host": host, "Origin": f"http://{host}"}).status_code == 403
    assert changes == []
    for host in ("127.0.0.1:8010", "localhost", "[::1]:8010", "gateway:8010"):
        assert client.put("/v1/thing", headers={"Host": host}).status_code == 200


def test_an_unknown_admin_path_needs_the_token_too(admin: FlaskClient) -> None:
    assert admin.get("/admin/nothing").status_code == 401
    assert admin.get("/admin/nothing", headers=BEARER).status_code == 404


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz"])
def test_metrics_and_health_need_no_token(admin: FlaskClient, path: str) -> None:
    assert admin.get(path).status_code == 200


def test_a_new_token_is_effective_immediately(admin: FlaskClient, settings: Settings) -> None:
    assert isinstance(settings.token_file, Path)
    settings.token_file.write_text("another-token-of-length")
    assert admin.put("/admin/knob", json={"turn": 3}, headers=BEARER).status_code == 401


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "JSON object"),
        (b"{", "JSON object"),
        (b"[3]", "JSON object"),
        (b"{}", "turn"),
        (b'{"turn": "3"}', "turn"),
        (b'{"turn": true}', "turn"),
        (b'{"turn": 11}', "turn"),
        (b'{"turn": NaN}', "NaN"),
        (b'{"turn": 3, "twist": 1}', "twist"),
    ],
)
def test_an_invalid_body_is_answered_400_with_the_reason(admin: FlaskClient, body: bytes, named: str) -> None:
    answer = admin.put("/admin/knob", data=body, headers=BEARER, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json is not None
    assert named in answer.json["error"]


def test_a_body_without_json_content_type_is_refused(admin: FlaskClient) -> None:
    assert admin.put("/admin/knob", data=b'{"turn": 3}', headers=BEARER, content_type="text/plain").status_code == 415
