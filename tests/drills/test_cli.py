"""`fleetops drill` on the command line, with no lab running."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.cli.main import run


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state directory in which no lab was ever started."""
    monkeypatch.setenv("FLEETOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLEETOPS_PORT_BASE", "19900")


def test_the_list_names_every_drill_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drill", "list"]) == 0
    assert "INC-001" in capsys.readouterr().out
    assert run(["drill", "list", "--json"]) == 0
    assert {"INC-001", "D0"} <= {row["id"] for row in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize(
    ("arguments", "status", "named"),
    [
        (["drill", "run", "INC-999"], 2, "INC-999"),
        (["drill", "run", "INC-001", "--responder", "nobody"], 2, "nobody"),
        (["drill", "run", "INC-001", "--record", "/nowhere/at/all.json"], 2, "/nowhere/at"),
        (["drill", "run", "INC-001"], 1, "fleetops up"),
        (["canary", "weight", "0"], 1, "fleetops up"),
        (["page", "list"], 1, "fleetops up"),
        (["triage", "feed"], 1, "fleetops up"),
        (["query", "up"], 1, "fleetops up"),
        (["incident", "show", "INC-999"], 2, "INC-999"),
        (["canary", "weight", "much"], 2, "much"),
        (["flag", "set", "canary", "maybe"], 2, "maybe"),
    ],
)
def test_an_impossible_command_is_refused_in_one_line(
    arguments: list[str], status: int, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == status
    output = capsys.readouterr()
    assert output.out == ""
    assert named in output.err
    assert output.err.count("\n") == 1
    assert output.err.startswith("fleetops: ")


def test_the_committed_records_can_be_read_without_a_lab(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["incident", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["open_pages"] == []
