"""INC-001 on the real lab: real traffic, a real page, the runbook executed; and the controls of the grading."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
from embedded import EmbeddedLab
from polling import eventually

from lab.drills.inputs import stale
from lab.drills.journal import journal_path
from lab.drills.record import validate

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420)]
DRILL_SECONDS = 400


def run(lab: EmbeddedLab, *arguments: str) -> tuple[int, dict[str, Any], str]:
    done = lab.fleetops("drill", "run", *arguments, "--json", timeout=DRILL_SECONDS)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def weight(lab: EmbeddedLab) -> float:
    answer = json.loads(lab.fleetops("query", "max(gateway_canary_weight_ratio)", "--json").stdout)
    return float(answer[0]["value"])


def test_inc_001_is_paged_in_time_and_mended_by_its_runbook_alone(lab: EmbeddedLab, tmp_path: Path) -> None:
    before = {row["name"] for row in lab.status()["processes"]}
    status, record, _ = run(lab, "INC-001", "--record", str(tmp_path / "record.json"))
    assert status == 0, record["verdict"]["why"]
    assert json.loads((tmp_path / "record.json").read_text()) == record
    validate(record)
    assert (tmp_path / "record.json").stat().st_size < 300_000
    assert stale(record) == []
    latest = record["prediction"]["detection_seconds"] + record["prediction"]["allowance_seconds"]
    assert record["durations"]["page_seconds"] <= latest
    kinds = [row["kind"] for row in record["timeline"]]
    for kind in ("inject", "sli_bad", "firing", "page", "ack", "diagnosis", "action", "recovered", "resolved", "held"):
        assert kind in kinds
    mended = [row for row in record["actions"] if row["actor"] == "autopilot"]
    assert [(row["action"], row["new"]) for row in mended] == [("canary weight", 0)]
    assert len({line["service"] for line in record["logs"]}) >= 2
    assert {row["name"] for row in lab.status()["processes"]} == before


def test_the_grading_fails_a_responder_who_does_the_wrong_thing(lab: EmbeddedLab) -> None:
    status, record, said = run(lab, "INC-001", "--responder", "wrong")
    assert status == 1
    assert record["verdict"]["passed"] is False
    assert "sli_recovered" in record["verdict"]["why"]
    assert "drill INC-001 failed: " in said
    assert eventually(lambda: weight(lab) == 0, 20)
    assert len([row for row in lab.status()["processes"] if row["service"] == "feed"]) == 2


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_drill_that_is_stopped_leaves_no_fault_behind(lab: EmbeddedLab, end: signal.Signals) -> None:
    drill = subprocess.Popen(
        lab.command("drill", "run", "INC-001"), env=lab.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert eventually(lambda: weight(lab) > 0, 240), "the fault was never injected"
        os.kill(drill.pid, end)
        said, _ = drill.communicate(timeout=60)
    finally:
        drill.kill()
    if end is not signal.SIGKILL:
        assert drill.returncode == 1
        assert "the drill was stopped" in said
        assert not journal_path(lab.home).exists()
    # Nobody was left who could: the guard saw the runner go.
    assert eventually(lambda: not journal_path(lab.home).exists(), 30)
    assert eventually(lambda: weight(lab) == 0, 20)


def test_a_drill_that_was_killed_with_its_guard_is_undone_by_doctor(lab: EmbeddedLab) -> None:
    drill = subprocess.Popen(
        lab.command("drill", "run", "INC-001"), env=lab.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert eventually(lambda: weight(lab) > 0, 240), "the fault was never injected"
        guards = [one for one in psutil.Process(drill.pid).children() if "lab.drills.guard" in one.cmdline()]
        assert len(guards) == 1
        guards[0].kill()
    finally:
        drill.kill()
        drill.wait()
    assert journal_path(lab.home).exists()
    findings = json.loads(lab.fleetops("doctor", "--json").stdout)["findings"]
    (found,) = [one for one in findings if one["name"] == "drill-leftovers"]
    assert found["ok"]
    assert "canary weight 50 % → 0 %" in found["found"] or "canary weight 5 % → 0 %" in found["found"]
    assert not journal_path(lab.home).exists()
    assert eventually(lambda: weight(lab) == 0, 20)
