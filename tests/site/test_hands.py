"""What the console may do: what the runbooks print and a few verbs, in somebody's name, on a lab that runs here."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from lab.drills.commands import Ran
from lab.errors import UsageError
from lab.places import RUNBOOKS, Home
from lab.site import hands as module
from lab.site.hands import Hands, printed
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


def test_a_console_without_a_lab_beside_it_has_no_hands(tmp_path: Path, ran: list[tuple[str, str]]) -> None:
    hands = Hands(Home(tmp_path), RUNBOOKS)
    assert hands.picture()["able"] is False
    for deed in (lambda: hands.run("fleetops canary weight 0", "ada"), lambda: hands.start_drill("D0", "human", "ada")):
        with pytest.raises(UsageError, match="no hands"):
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
    import os

    about = {"id": "INC-001", "pid": os.getpid(), "responder": "human", "by": "ada"}
    (hands.home.run / "console-drill.json").write_text(json.dumps(about))
    again = Hands(hands.home, RUNBOOKS)
    assert again.picture()["running"] == about
    with pytest.raises(UsageError, match="INC-001 is running already"):
        again.start_drill("D0", "human", "ada")


def test_a_drill_started_in_a_terminal_is_known_by_its_journal(hands: Hands) -> None:
    import os

    hands.home.data.mkdir()
    journal = hands.home.data / "drill.journal.json"
    journal.write_text(json.dumps({"drill": "INC-001", "pid": os.getpid(), "at": "", "state": {}}))
    running = hands.picture()["running"]
    assert running["id"] == "INC-001"
    assert running["by"] is None
    journal.write_text(json.dumps({"drill": "INC-001", "blind": True, "pid": os.getpid(), "faults": [{"kind": "x"}]}))
    assert hands.picture()["running"] == {"id": "random", "pid": os.getpid(), "responder": None, "by": None}
    journal.write_text("{")
    assert hands.picture()["running"] is None
