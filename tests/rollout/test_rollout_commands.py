"""Commands that change what users get: refused in one line that names the cause, with everything left as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import FakePager
from simulated import World, world

from lab import names
from lab.cli import main
from lab.control import actions as controls
from lab.paths import ROOT
from lab.rollout import journal
from lab.rollout.controller import Controller
from lab.rollout.policy import FILE
from lab.stack import configs

pytestmark = pytest.mark.batch

__all__ = ["world"]
Refused = Callable[..., str]
TEXT = FILE.read_text(encoding="utf-8")
RECORD = ROOT / "docs" / "rollouts" / "feed-1.1.0.json"
PUSH = ("config", "push", "feed", "pool_max=12")


@pytest.fixture
def lab(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The simulated lab, as the one that the commands find."""
    for module in ("change.rollout", "config", "controls"):
        monkeypatch.setattr(f"lab.cli.{module}.clients", lambda: world.clients)
    return world


def state(lab: World) -> dict[str, Any]:
    """What a refused command leaves alone."""
    home, journal_file = lab.clients.home, journal.file_of(lab.clients.home)
    return {
        "journal": journal_file.read_bytes() if journal_file.exists() else None,
        "weight": lab.weight,
        "versions": {service: configs.versions(home, service) for service in ("feed", "feed-canary")},
        "staged": configs.staged(home, "feed"),
        "running": dict(lab.running),
    }


@pytest.fixture
def refused(lab: World, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that exits 2 with one line and changes nothing; returns the line."""

    def line(*arguments: str) -> str:
        before = state(lab)
        assert main.run(list(arguments)) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("fleetops: ")
        assert printed.err.index("\n") == len(printed.err) - 1, "one line"
        assert "unexpected" not in printed.err
        assert state(lab) == before
        return printed.err

    return line


def done(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command prints that succeeds."""
    assert main.run(list(arguments)) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out.strip()


def audited(pager: FakePager) -> list[tuple[str, str, Any, str]]:
    return [(row["action"], row["target"], row["new"], row["outcome"]) for row in pager.rows.values()]


@pytest.mark.parametrize(
    ("command", "change", "words"),
    [(("canary", "weight", "50"), "rollout", "rollout"), (PUSH, "config", "configuration push")],
    ids=["weight", "configuration"],
)
def test_an_exhausted_budget_refuses_a_change_and_the_refusal_is_audited(
    lab: World, pager: FakePager, refused: Refused, command: tuple[str, ...], change: str, words: str
) -> None:
    lab.budget_left = -0.1
    line = refused(*command)
    assert f"the policy refuses a {words} of feed: feed-availability has -10.0% of its budget left" in line
    assert f"`fleetops budget override --service feed --change {change} " in line
    assert audited(pager) == [("budget gate", "feed", change, "failed")]
    (row,) = pager.rows.values()
    assert row["reason"] in line


def test_an_emergency_push_passes_an_exhausted_budget_and_says_so_in_the_audit_log(
    lab: World, pager: FakePager, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.budget_left = -0.1
    out = done(capsys, *PUSH, "--emergency", "--reason", "the pool is too small")
    assert out == "feed configuration 0 (defaults) → 1 (pool_max=12)"
    assert configs.current(lab.clients.home, "feed").settings == {"pool_max": 12}
    (row,) = pager.rows.values()
    assert (row["action"], row["outcome"]) == ("config push", "done")
    assert row["reason"] == "emergency: the pool is too small"


def test_an_emergency_push_without_a_reason_is_refused(pager: FakePager, refused: Refused) -> None:
    assert "an emergency change needs a reason: --reason TEXT" in refused(*PUSH, "--emergency")
    assert audited(pager) == []


@pytest.mark.parametrize("percent", ["20", "0"])
def test_a_lower_weight_passes_an_exhausted_budget(
    lab: World, pager: FakePager, capsys: pytest.CaptureFixture[str], percent: str
) -> None:
    controls.set_canary_weight(lab.clients, 50)
    lab.budget_left = -0.1
    assert done(capsys, "canary", "weight", percent) == f"canary weight 50 % → {percent} %"
    assert lab.weight == float(percent)
    assert audited(pager)[1:] == [("canary weight", "gateway", float(percent), "done")]


def test_a_version_that_the_service_does_not_know_is_refused(pager: FakePager, refused: Refused) -> None:
    assert "version='9.9.9' is not a version of the feed service" in refused(
        "rollout", "start", "feed", "--to", "9.9.9"
    )
    assert audited(pager) == []


def test_a_second_rollout_is_refused_while_one_runs(lab: World, pager: FakePager, refused: Refused) -> None:
    lab.start()
    lab.tick(Controller(lab.clients), 2)
    assert lab.weight == 5
    before = audited(pager)
    line = refused("rollout", "start", "feed", "--to", names.VERSION_CANARY)
    assert "the rollout of feed 1.2.0 is stepping; `fleetops rollout abort` ends it" in line
    assert audited(pager) == before


STEPS = "steps_percent: [5, 25, 50, 100]"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("margin: 2", "margn: 2", "margn: unknown key (did you mean 'margin'?)"),
        ("alpha: 0.01\n", "", "alpha is missing"),
        ("confidence: 0.95", "confidence: 95", "confidence: 95 must be from 0.5 to 0.9999"),
        (STEPS, "steps_percent: [5, 25, 10, 100]", "steps_percent[2]: 10 must be above the step before, 25"),
        (STEPS, f"steps_percent: {[*range(1, 21), 100]}", "steps_percent[20]: is step 21; a ladder has at most 20"),
        (STEPS, "steps_percent: [5, 101]", "steps_percent[1]: 101 must be from 0.01 to 100"),
        (STEPS, "steps_percent: [5, 50]", "steps_percent[1]: 50 must be 100"),
        ("dwell_seconds: 10", "dwell_seconds: 120", "deadline_seconds: 120 must be above dwell_seconds, 120"),
        ("margin: 2", "margin: [2", "margin: is not valid YAML"),
    ],
    ids=[
        "unknown key", "missing key", "out of range", "weights that fall", "too many steps", "above 100 %",
        "not up to 100 %", "no time for a verdict", "invalid YAML",
    ],
)  # fmt: skip
def test_a_policy_file_that_is_wrong_begins_no_rollout(
    old: str, new: str, problem: str, tmp_path: Path, pager: FakePager, refused: Refused
) -> None:
    assert old in TEXT
    file = tmp_path / "mine.yml"
    file.write_text(TEXT.replace(old, new))
    line = refused("rollout", "start", "feed", "--to", names.VERSION_NEXT, "--policy", str(file))
    assert line.startswith(f"fleetops: {file}:")
    assert f": {problem}" in line
    assert audited(pager) == []


def test_a_policy_file_that_does_not_exist_begins_no_rollout(tmp_path: Path, refused: Refused) -> None:
    file = tmp_path / "none.yml"
    line = refused("rollout", "start", "feed", "--to", names.VERSION_NEXT, "--policy", str(file))
    assert line == f"fleetops: {file}: cannot be read: No such file or directory\n"


def edited(edit: Callable[[dict[str, Any]], Any]) -> bytes:
    """A record of a rollout with one thing changed."""
    document = json.loads(RECORD.read_bytes())
    edit(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (RECORD.read_bytes()[:500], "is not the record of a change (Input data was truncated)"),
        (b"\xff\xfe\x00", "is not the record of a change ("),
        (b"[" * 100_000, "is not the record of a change ("),
        (edited(lambda d: d.pop("steps")), "missing required field `steps`"),
        (edited(lambda d: d["steps"][0].pop("counts")), "missing required field `counts` - at `$.steps[0]`"),
        (edited(lambda d: d["steps"][0].update(verdict="maybe")), "'maybe' - at `$.steps[0].verdict`"),
        (edited(lambda d: d["steps"][0].update(weight_percent="five")), "got `str` - at `$.steps[0].weight_percent`"),
        (edited(lambda d: d["policy"].update(alpha=2)), "policy.alpha: 2 must be from"),
        (edited(lambda d: d["policy"].update(steps_percent=[])), "policy.steps_percent: must be a list"),
        (None, "cannot be read (No such file or directory)"),
    ],
    ids=[
        "cut off", "not text", "too deep", "no steps", "no counts", "unknown verdict", "text for a number",
        "certainty above 1", "no ladder", "no file",
    ],
)  # fmt: skip
def test_a_damaged_record_is_not_judged_and_the_rollout_under_way_is_left_alone(
    content: bytes | None, why: str, lab: World, tmp_path: Path, refused: Refused
) -> None:
    lab.start()
    lab.tick(Controller(lab.clients), 2)
    file = tmp_path / "record.json"
    if content is not None:
        file.write_bytes(content)
    line = refused("rollout", "judge", str(file))
    assert line.startswith(f"fleetops: {file}")
    assert why in line


@pytest.mark.parametrize("arguments", [("drill", "run", "D0"), ("capacity", "sweep"), ("capacity", "run-up", "load")])
def test_what_deletes_history_is_refused_while_a_rollout_is_judged_by_it(
    refused: Refused, lab: World, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr("lab.cli.shared.clients", lambda: lab.clients)
    lab.start()
    assert "the rollout of feed 1.2.0 is stepping; a clean slate would delete its counts" in refused(*arguments)
