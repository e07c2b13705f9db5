"""Risk classes: every audited action is classified, and every way back is a command that the command line takes."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator
from typing import Any

import click
import pytest
from documents import audit_row

from lab.change import risk
from lab.change.risk import KINDS, NO_CHANGE, TAKES_BACK
from lab.cli.main import root
from lab.control.gateway_settings import PARTS
from lab.drills.run import diagnosis
from lab.paths import ROOT

CONSTANTS = {"DIAGNOSE": diagnosis.DIAGNOSE, "HINT": diagnosis.HINT, "REFUSAL": risk.REFUSAL}
OLD = {
    "canary weight": 5.0,
    "flag set": True,
    "scale": 2,
    "traffic rate": 80.0,
    "ratelimit set": {"client_burst": 20.0, "global_per_second": 100.0},
    "shed set": {"guest_ratio": 0.5},
    "retry set": {"on": ["unreachable", "timeout"], "max_retries": 1},
    "timeouts set": {"feed": 3.0},
    "breakers set": {"user": "off"},
    "cache set": {"feed_ttl_seconds": 300.0},
    "log level": {"gateway": "info"},
}


def audited(tree: ast.Module) -> Iterator[str]:
    """The actions that a module audits: the first argument of each call of `action` on an audit trail.

    An f-string starts with a part of the gateway. A parameter has the strings that the module's calls give it, and a
    variable those that it is assigned.
    """
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Attribute) and call.func.attr == "action" and call.args:
                yield from of(call.args[0], function, tree)


def of(argument: ast.expr, function: ast.FunctionDef, tree: ast.Module) -> Iterator[str]:
    if isinstance(argument, ast.Constant):
        yield str(argument.value)
    elif isinstance(argument, ast.IfExp):
        yield from of(argument.body, function, tree)
        yield from of(argument.orelse, function, tree)
    elif isinstance(argument, ast.JoinedStr):
        yield from (f"{part} set" for part in PARTS)
    elif isinstance(argument, ast.Name) and argument.id in CONSTANTS:
        yield CONSTANTS[argument.id]
    elif isinstance(argument, ast.Name):
        names = [each.arg for each in function.args.args]
        given = [
            node.args[names.index(argument.id)]
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == function.name
            and argument.id in names
        ]
        assigned = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == argument.id
        ]
        assert given or assigned, f"line {argument.lineno}: what is {argument.id}?"
        for value in given + assigned:
            yield from of(value, function, tree)
    else:
        raise AssertionError(f"line {argument.lineno}: the action is {ast.unparse(argument)}")


def test_every_audited_action_is_classified_once() -> None:
    found = {
        action
        for file in (ROOT / "lab").rglob("*.py")
        if ".action(" in (text := file.read_text(encoding="utf-8"))
        for action in audited(ast.parse(text))
    }
    classified = [*KINDS, *TAKES_BACK, *NO_CHANGE]
    assert len(classified) == len(set(classified))
    assert found == set(classified)
    assert set(TAKES_BACK.values()) <= set(KINDS)


def test_only_what_altered_something_is_marked() -> None:
    assert risk.alters(audit_row(action="canary weight"))
    assert risk.alters(audit_row(action="config rollback"))
    assert not risk.alters(audit_row(action="incident hint"))
    assert not risk.alters(audit_row(action="canary weight", outcome="failed"))


@pytest.mark.parametrize("action", [action for action, kind in KINDS.items() if kind.back])
def test_the_way_back_is_a_command(action: str) -> None:
    target = "housekeeping flushall" if action.startswith("cache") else "feed"
    command = risk.take_back(audit_row(action=action, target=target, old=OLD.get(action)))
    name, *words = shlex.split(command)
    context, verb = click.Context(root, info_name=name), root
    while isinstance(verb, click.Group):
        verb = verb.get_command(context, words.pop(0))  # type: ignore[assignment]
    assert verb is not None, command
    verb.make_context(verb.name, words)


@pytest.mark.parametrize(
    ("action", "target", "old", "command"),
    [
        ("flag set", "serve-stale", False, "fleetops flag set serve-stale off"),
        ("retry set", "gateway", {"on": ["a", "b"]}, "fleetops retry set --on a,b"),
        ("breakers set", "gateway", {"user": "off"}, "fleetops breaker set user off"),
        ("log level", "feed", {"feed-1": "info", "feed-2": "info"}, "fleetops log level feed info"),
        ("service restart", "feed", None, ""),
        ("canary weight", "gateway", None, ""),
    ],
)
def test_the_way_back_names_the_old_value(action: str, target: str, old: Any, command: str) -> None:
    assert risk.take_back(audit_row(action=action, target=target, old=old)) == command
