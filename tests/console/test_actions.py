"""Actions on the console: runbook commands and a few verbs, under a user's name, on a lab on this host."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from lab.clients.documents import as_builtins
from lab.console import actions as module
from lab.console.actions import ConsoleActions, printed
from lab.drills.evidence import record
from lab.drills.run import stoppable
from lab.drills.runbook.execute import Ran
from lab.errors import UsageError
from lab.paths import RECORDS, RUNBOOKS, Home
from lab.stack.state import RunState, write


@pytest.fixture
def actions(tmp_path: Path) -> ConsoleActions:
    home = Home(tmp_path)
    home.run.mkdir(parents=True)
    write(home, RunState("ready", 1, 1, 8000, "http://127.0.0.1:8000/", 0.0, 1.0, False))
    return ConsoleActions(home, RUNBOOKS)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The (command, actor) pairs that would have been run."""
    seen: list[tuple[str, str]] = []

    def keep(command: str, actor: str) -> Ran:
        seen.append((command, actor))
        return Ran(command, 0, "done", 0.0, 0.1)

    monkeypatch.setattr(module, "run_command", keep)
    return seen


def shown(actions: ConsoleActions) -> Any:
    """The state of the actions as the console's page reads it."""
    return as_builtins(actions.state())


def test_every_runbook_command_may_be_run_under_a_users_name(
    actions: ConsoleActions, ran: list[tuple[str, str]]
) -> None:
    commands = sorted(printed(RUNBOOKS))
    assert len(commands) > 10
    for command in commands:
        assert asdict(actions.run(command, " ada "))["exit_status"] == 0
    assert ran == [(command, "ada") for command in commands]


@pytest.mark.parametrize(
    "command",
    [
        "fleetops down",
        "fleetops up",
        "fleetops incident list",
        "fleetops drill run INC-001",
        "fleetops query 'up' --wait 600",
        "rm -rf /",
        "fleetops canary weight 0 ; fleetops down",
        "fleetops 'unclosed",
        "fleetops",
        "",
        "fleetops canary weight " + "0" * 600,
        "fleetops canary weight 0\0",
    ],
)
def test_any_other_command_is_refused_before_it_runs(
    actions: ConsoleActions, ran: list[tuple[str, str]], command: str
) -> None:
    with pytest.raises(UsageError):
        actions.run(command, "ada")
    assert ran == []


@pytest.mark.parametrize("by", ["", "  ", "\0", 5, None])
def test_an_action_needs_a_name(actions: ConsoleActions, ran: list[tuple[str, str]], by: object) -> None:
    with pytest.raises(UsageError, match="must be your name"):
        actions.run("fleetops canary weight 0", by)  # type: ignore[arg-type]
    assert ran == []


def test_a_console_without_a_lab_on_its_host_is_read_only(tmp_path: Path, ran: list[tuple[str, str]]) -> None:
    actions = ConsoleActions(Home(tmp_path), RUNBOOKS)
    assert shown(actions) == {"able": False, "running": None, "lines": [], "score": None, "drills": []}
    attempts: tuple[Callable[[], object], ...] = (
        lambda: actions.run("fleetops canary weight 0", "ada"),
        lambda: actions.start_drill("D0", "human", "ada"),
        lambda: actions.stop_drill("ada"),
    )
    for attempt in attempts:
        with pytest.raises(UsageError, match="read-only"):
            attempt()
    assert ran == []


@pytest.mark.parametrize(
    ("ident", "responder", "message"),
    [("INC-999", "human", "no drill"), ("D0", "none", "no responder"), ("D0", "x", "no")],
)
def test_an_unknown_drill_or_responder_is_refused(
    actions: ConsoleActions, ident: str, responder: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        actions.start_drill(ident, responder, "ada")


def test_a_restarted_console_knows_the_running_drill(actions: ConsoleActions) -> None:
    stoppable.announce(actions.home, "INC-001", os.getpid())
    about = {"pid": os.getpid(), "responder": "human", "by": "ada"}
    (actions.home.run / "console-drill.json").write_text(json.dumps(about))
    restarted = ConsoleActions(actions.home, RUNBOOKS)
    assert shown(restarted)["running"] == about | {"id": "INC-001"}
    with pytest.raises(UsageError, match="INC-001 is already running"):
        restarted.start_drill("D0", "human", "ada")


@pytest.mark.parametrize(
    "about", ["", "[1,2]", "null", "{}", '{"pid": "x"}', '{"pid": 1, "by": "ada", "responder": "x"}']
)
def test_a_drill_started_in_a_terminal_is_shown_without_its_user(actions: ConsoleActions, about: str) -> None:
    stoppable.announce(actions.home, "random", os.getpid())
    (actions.home.run / "console-drill.json").write_text(about)
    assert shown(actions)["running"] == {"id": "random", "pid": os.getpid(), "responder": None, "by": None}


def test_a_killed_drill_is_shown_by_its_journal(actions: ConsoleActions) -> None:
    assert not shown(actions)["left_over"]
    actions.home.data.mkdir()
    (actions.home.data / "drill.journal.json").write_text("{")  # the content does not matter
    assert shown(actions)["left_over"]
    assert shown(actions)["running"] is None
    stoppable.announce(actions.home, "INC-001", os.getpid())
    assert not shown(actions)["left_over"]


def test_the_result_of_the_newest_run_is_shown_as_its_record_has_it(actions: ConsoleActions) -> None:
    assert shown(actions)["score"] is None
    folder = record.folder(actions.home)
    folder.mkdir(parents=True)
    file = shutil.copy(RECORDS / "INC-001.json", folder)
    run = json.loads(Path(file).read_text())
    card = shown(actions)["score"]
    assert (card["id"], card["title"]) == ("INC-001", run["drill"]["title"])
    assert card["durations"] == run["durations"]
    assert card["checks"] == run["verdict"]["checks"]
    assert card["predicted_seconds"] == run["prediction"]["detection_seconds"]
    assert card["score"] is run.get("score")


def test_stopping_a_drill_runs_the_command_under_a_users_name_and_keeps_its_outcome(
    actions: ConsoleActions, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def stop(command: str, actor: str) -> Ran:
        seen.append((command, actor, shown(actions)["ending_by"]))
        with pytest.raises(UsageError, match="ada is already stopping the drill"):
            actions.stop_drill("bob")
        return Ran(command, 0, "INC-001: given up, undone in 1.0 s", 0.0, 1.0)

    monkeypatch.setattr(module, "run_command", stop)
    assert actions.stop_drill("ada").exit_status == 0
    assert seen == [("fleetops drill stop", "ada", "ada")]
    state = shown(actions)
    assert (state["ending_by"], state["ended"]) == (None, "INC-001: given up, undone in 1.0 s (by ada)")


def test_a_failed_stop_is_not_shown_as_stopped(actions: ConsoleActions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "run_command", lambda command, _actor: Ran(command, 1, "fleetops: no", 0.0, 1.0))
    assert actions.stop_drill("ada").output == "fleetops: no"
    assert shown(actions)["ended"] == ""
