"""Fuzzing: no request to any route of any server gets a 5xx response or causes a traceback in a log.

A few hundred fixed requests per run; FLEETOPS_REQUESTS=10000 runs a campaign of that many random ones.
"""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest
from any_request import ADMITTED, BROKEN, HEADERS, IDS, Sent, filled, methods_of, requests, takes_body
from every_app import FACTORIES, every_app
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.routing import Rule

from lab.paths import ROOT

pytestmark = pytest.mark.batch

CAMPAIGN = int(os.environ.get("FLEETOPS_REQUESTS", "0"))
REQUESTS = CAMPAIGN or 300
JSON = "application/json"
DECORATORS = {"route", "get", "post", "put", "patch", "delete"}
APPS = (
    "gateway", "gateway-admin", "user", "user-admin", "feed", "feed-admin", "pager", "console", "traffic", "link",
)  # fmt: skip


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Flask]]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        by_name = every_app(tmp_path_factory.mktemp("apps"), monkeypatch)
        assert set(by_name) == set(APPS)
        yield by_name


@pytest.mark.parametrize("name", APPS)
def test_no_request_gets_a_5xx_response_or_causes_a_traceback(
    apps: dict[str, Flask], name: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    app = apps[name]
    any_request = requests(app)

    @settings(
        max_examples=-(-REQUESTS // len(APPS)), database=None, derandomize=not CAMPAIGN,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        sent = data.draw(any_request)
        status, kind, body = sent.to(app)
        assert 200 <= status < 500, (sent, body)
        if status >= 400 and kind == "application/json" and body:
            assert "\n" not in json.loads(body)["error"], sent

    ask()
    written = capsysbinary.readouterr()
    assert b"Traceback" not in written.out + written.err


def test_every_route_that_reads_a_body_refuses_invalid_bodies(apps: dict[str, Flask]) -> None:
    for name, method, rule in every_route(apps):
        for body in BROKEN if takes_body(rule) else ():
            sent = Sent(method, filled(rule), b"", {**ADMITTED, "Content-Type": JSON}, body)
            status, kind, response = sent.to(apps[name])
            assert 400 <= status < 500, (name, rule.rule, body[:40])
            assert kind == JSON
            assert "\n" not in json.loads(response)["error"]


def test_every_route_with_an_id_answers_404_for_ids_out_of_range(apps: dict[str, Flask]) -> None:
    for name, method, rule in every_route(apps):
        for odd in {*IDS} - {b"1", b"7", b"007", b"20001"} if "<id:" in rule.rule else ():
            sent = Sent(method, filled(rule, odd), b"", {**ADMITTED, "Content-Type": JSON}, b'{"by": "ada"}')
            # The console's pages match any path, and have no POST.
            assert sent.to(apps[name])[0] in (404, 405), (name, rule.rule, odd[:40])


def test_every_server_can_be_scraped_with_any_accept_header(apps: dict[str, Flask]) -> None:
    for name, _, rule in every_route(apps):
        for accept in HEADERS["Accept"] if rule.rule == "/metrics" else ():
            assert Sent("GET", b"/metrics", b"", {**ADMITTED, "Accept": accept}, b"").to(apps[name])[0] == 200, (
                name,
                accept,
            )


def every_route(apps: dict[str, Flask]) -> list[tuple[str, str, Rule]]:
    """(server, method, rule) of every route."""
    return [
        (name, method, rule)
        for name, app in apps.items()
        for rule in app.url_map.iter_rules()
        for method in methods_of(rule)
        if method != "GET" or not takes_body(rule)
    ]


def test_every_function_that_creates_an_app_is_covered() -> None:
    factories = {
        f"{file.relative_to(ROOT)}:{node.name}"
        for file, node in nodes(ast.FunctionDef)
        if isinstance(node.returns, ast.Name) and node.returns.id == "Flask"
    }
    assert factories == set(FACTORIES)
    assert set(FACTORIES.values()) <= set(APPS)
    calls = [file for file, call in nodes(ast.Call) if isinstance(call.func, ast.Name) and call.func.id == "Flask"]
    assert calls == [ROOT / "lab/telemetry/web.py"], "an app created elsewhere lacks the checks of new_app"


def test_every_route_of_the_lab_is_covered(apps: dict[str, Flask]) -> None:
    """So that new routes are fuzzed automatically."""
    covered = {
        (Path(view.__code__.co_filename), view.__code__.co_firstlineno)
        for app in apps.values()
        for view in app.view_functions.values()
        if hasattr(view, "__code__")
    }
    for file, node in nodes(ast.FunctionDef):
        calls = [decorator.func for decorator in node.decorator_list if isinstance(decorator, ast.Call)]
        if any(isinstance(call, ast.Attribute) and call.attr in DECORATORS for call in calls):
            line = node.decorator_list[0].lineno
            assert (file, line) in covered, f"{file.relative_to(ROOT)}:{line}: no app of every_app.py has {node.name}"
    for file, call in nodes(ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add_url_rule":
            lines = range(call.lineno, (call.end_lineno or call.lineno) + 1)
            assert any((file, line) in covered for line in lines), f"{file.relative_to(ROOT)}:{call.lineno}"


Node = TypeVar("Node", bound=ast.AST)


def nodes(kind: type[Node]) -> list[tuple[Path, Node]]:
    """Every syntax tree node of a kind in the lab's sources."""
    return [(file, node) for file, tree in _sources() for node in tree if isinstance(node, kind)]


@cache
def _sources() -> list[tuple[Path, list[ast.AST]]]:
    files = sorted((ROOT / "lab").rglob("*.py"))
    return [(file, list(ast.walk(ast.parse(file.read_text())))) for file in files]
