"""What the console may do: what the runbooks print and a few verbs, in somebody's name, on a lab that runs here."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from lab.console import actions as module
from lab.console.actions import Hands, printed
from lab.drills.run import stoppable
from lab.drills.runbook.execute import Ran
from lab.errors import UsageError
from lab.paths import RUNBOOKS, Home
from lab.stack.state import RunState, write


@pytest.fixture
def hands(tmp_path: Path) -> Hands:
    home = Home(tmp_path)
    home.run.mkdir(parents=True)
    write(home, RunState("ready", 1, 1, 8000, "http://127.0.0.1:8000/", 0.0, 1.0, False))
    return Hands(home, RUNBOOKS)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What would have been run, and by whom."""
    seen: list[tuple[str, str]] = []

    def keep(command: str, actor: str) -> Ran:
        seen.append((command, actor))
        return Ran(command, 0, "done", 0.0, 0.1)

    monkeypatch.setattr(module, "run_command", keep)
    return seen


def test_every_command_that_a_runbook_prints_may_be_run_in_a_persons_name(
    hands: Hands, ran: list[tuple[str, str]]
) -> None:
    commands = sorted(printed(RUNBOOKS))
    assert len(commands) > 10
    for command in commands:
        assert asdict(hands.run(command, " ada "))["exit_status"] == 0
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
def test_anything_else_is_refused_before_it_runs(hands: Hands, ran: list[tuple[str, str]], command: str) -> None:
    with pytest.raises(UsageError):
        hands.run(command, "ada")
    assert ran == []


@pytest.mark.parametrize("by", ["", "  ", "\0", 5, None])
def test_nobody_may_act_without_a_name(hands: Hands, ran: list[tuple[str, str]], by: object) -> None:
    with pytest.raises(UsageError, match="who acts"):
        hands.run("fleetops canary weight 0", by)  # type: ignore[arg-type]
    assert ran == []


def test_a_console_without_a_lab_beside_it_is_read_only(tmp_path: Path, ran: list[tuple[str, str]]) -> None:
    hands = Hands(Home(tmp_path), RUNBOOKS)
    assert hands.picture()["able"] is False
    deeds: tuple[Callable[[], object], ...] = (
        lambda: hands.run("fleetops canary weight 0", "ada"),
        lambda: hands.start_drill("D0", "human", "ada"),
        lambda: hands.stop_drill("ada"),
    )
    for deed in deeds:
        with pytest.raises(UsageError, match="read-only"):
            deed()
    assert ran == []


@pytest.mark.parametrize(
    ("ident", "responder", "said"),
    [("INC-999", "human", "no drill"), ("D0", "none", "no responder"), ("D0", "x", "no")],
)
def test_a_drill_that_is_none_is_refused(hands: Hands, ident: str, responder: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        hands.start_drill(ident, responder, "ada")


def test_a_drill_that_runs_is_known_even_to_a_console_that_was_started_again(hands: Hands) -> None:
    stoppable.announce(hands.home, "INC-001", os.getpid())
    about = {"pid": os.getpid(), "responder": "human", "by": "ada"}
    (hands.home.run / "console-drill.json").write_text(json.dumps(about))
    again = Hands(hands.home, RUNBOOKS)
    assert again.picture()["running"] == about | {"id": "INC-001"}
    with pytest.raises(UsageError, match="INC-001 is running already"):
        again.start_drill("D0", "human", "ada")


@pytest.mark.parametrize(
    "about", ["", "[1,2]", "null", "{}", '{"pid": "x"}', '{"pid": 1, "by": "ada", "responder": "x"}']
)
def test_a_drill_started_in_a_terminal_is_known_but_not_by_whom(hands: Hands, about: str) -> None:
    stoppable.announce(hands.home, "random", os.getpid())
    (hands.home.run / "console-drill.json").write_text(about)
    assert hands.picture()["running"] == {"id": "random", "pid": os.getpid(), "responder": None, "by": None}


def test_a_drill_that_was_killed_is_known_by_what_it_left(hands: Hands) -> None:
    assert not hands.picture()["left_over"]
    hands.home.data.mkdir()
    (hands.home.data / "drill.journal.json").write_text("{")  # whatever is in it
    assert hands.picture()["left_over"]
    assert hands.picture()["running"] is None
    stoppable.announce(hands.home, "INC-001", os.getpid())
    assert not hands.picture()["left_over"]


def test_a_drill_is_given_up_by_the_command_in_a_persons_name_and_the_outcome_is_told_until_the_next(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def give_up(command: str, actor: str) -> Ran:
        seen.append((command, actor, hands.picture()["ending_by"]))
        with pytest.raises(UsageError, match="being given up already, by ada"):
            hands.stop_drill("bob")
        return Ran(command, 0, "INC-001: given up, undone in 1.0 s", 0.0, 1.0)

    monkeypatch.setattr(module, "run_command", give_up)
    assert hands.stop_drill("ada").exit_status == 0
    assert seen == [("fleetops drill stop", "ada", "ada")]
    picture = hands.picture()
    assert (picture["ending_by"], picture["ended"]) == (None, "INC-001: given up, undone in 1.0 s (by ada)")


def test_a_drill_that_could_not_be_given_up_is_not_said_to_be(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "run_command", lambda command, _actor: Ran(command, 1, "fleetops: no", 0.0, 1.0))
    assert hands.stop_drill("ada").output == "fleetops: no"
    assert hands.picture()["ended"] == ""
