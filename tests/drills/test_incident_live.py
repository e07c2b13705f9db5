"""INC-001 on the real lab with the autopilot, a program and the wrong responder; and drills that are stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from embedded import EmbeddedLab, more_drills
from polling import eventually

from lab.clients.prometheus import Prometheus
from lab.drills.evidence.provenance import stale
from lab.drills.evidence.record import read
from lab.drills.faults.link import LinkStall
from lab.drills.spec.drill import find
from lab.drills.undo.journal import journal_path
from lab.errors import Void

# INC-001 takes some 150 s, and some 420 s if every phase reaches its limit.
DRILL_SECONDS = 540
# The timeout covers the test functions only: the first one also waits for the start of the lab, which has its own.
pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("usual_traffic"), pytest.mark.timeout(560, func_only=True)]


def run(lab: EmbeddedLab, *arguments: str) -> tuple[int, dict[str, Any], str]:
    done = lab.fleetops("drill", "run", *arguments, "--json", timeout=DRILL_SECONDS)
    assert done.stdout, done.stderr
    if done.returncode == Void.exit_status:
        pytest.skip(f"void: {done.stderr.strip().splitlines()[-1]}")
    return done.returncode, json.loads(done.stdout), done.stderr


def weight(lab: EmbeddedLab) -> float:
    """The canary's weight as a ratio; 0 while Prometheus has no sample of it after its clean slate."""
    return Prometheus.of(lab.home, lab.ports).number("max(gateway_canary_weight_ratio)") or 0


def test_inc_001_pages_in_time_and_its_runbook_mitigates_it(lab: EmbeddedLab, tmp_path: Path) -> None:
    before = set(lab.processes())
    status, record, _ = run(lab, "INC-001", "--record", str(tmp_path / "record.json"))
    assert status == 0, record["verdict"]["why"]
    assert json.loads((tmp_path / "record.json").read_text()) == record
    assert (tmp_path / "record.json").stat().st_size < 300_000
    assert stale(read(tmp_path / "record.json")) == []
    assert {"page_arrived", "detected_in_time"} <= {check["name"] for check in record["verdict"]["checks"]}
    kinds = [row["kind"] for row in record["timeline"]]
    for kind in ("inject", "sli_bad", "firing", "page", "ack", "diagnosis", "action", "recovered", "resolved", "held"):
        assert kind in kinds
    mitigation = [row for row in record["actions"] if row["actor"] == "autopilot"]
    assert [(row["action"], row["new"]) for row in mitigation] == [("canary weight", 0)]
    assert len({line["service"] for line in record["logs"]}) >= 2
    assert set(lab.processes()) == before


@more_drills
@pytest.mark.parametrize(
    ("ident", "further_alert"), [("INC-001", "FeedCanarySlowerThanStable"), ("INC-017", "ProcessRestarted")]
)
def test_the_grading_fails_a_wrong_responder(lab: EmbeddedLab, ident: str, further_alert: str) -> None:
    status, record, progress = run(lab, ident, "--responder", "wrong")
    assert status == 1
    assert record["verdict"]["passed"] is False
    assert "sli_recovered" in record["verdict"]["why"]
    assert f"drill {ident} failed: " in progress
    assert further_alert in {row["name"] for row in record["alerts"] if row["t_seconds"] >= 0}
    assert next(check for check in record["verdict"]["checks"] if check["name"] == "silent_alerts")["passed"]
    assert eventually(lambda: weight(lab) == 0, 60)
    assert len([row for row in lab.processes().values() if row.service == "feed"]) == 2


RESPONDER = """
import glob, json, os, subprocess, sys, urllib.request
page, kept = json.load(sys.stdin), {}
def fleetops(*words):
    done = subprocess.run(["fleetops", *words], capture_output=True, text=True)
    kept[" ".join(words)] = done.stdout + done.stderr
    return done.returncode
for words in (["status"], ["page", "list"], ["page", "show", str(page["id"])], ["doctor"], ["triage", "feed"]):
    fleetops(*words)
with open(os.path.join(os.environ["FLEETOPS_HOME"], "token")) as token:
    bearer = {"Authorization": f"Bearer {token.read().strip()}"}
live = urllib.request.Request(f"http://127.0.0.1:{os.environ['FLEETOPS_PORT_BASE']}/api/live", headers=bearer)
with urllib.request.urlopen(live) as answer:
    kept["console"] = json.dumps(json.load(answer).get("actions", {}).get("running"))
for file in glob.glob(os.path.join(os.environ["FLEETOPS_HOME"], "logs", "*.log")):
    with open(file, errors="replace") as log:
        kept[os.path.basename(file)] = log.read()
done = fleetops("page", "ack", str(page["id"])) or fleetops("incident", "hint")
done = done or fleetops("incident", "diagnose", str(page["id"]), "--component", "feed-canary", "--class", "binary push")
done = done or fleetops("canary", "weight", "0", "--reason", "slower than stable")
with open(sys.argv[1], "w") as file:
    json.dump(kept, file)
print("done", sys.argv[2:])
sys.exit(done)
"""


@more_drills
def test_a_program_is_graded_like_a_person_and_nothing_reveals_the_fault_to_it(
    lab: EmbeddedLab, tmp_path: Path
) -> None:
    script, kept = tmp_path / "responder.py", tmp_path / "kept.json"
    script.write_text(RESPONDER)
    words = ["--responder", "command", "--blind", "--", sys.executable, str(script), str(kept), "--json", "-x"]
    before = {file.name: len(file.read_text(errors="replace")) for file in lab.home.logs.glob("*.log")}
    done = lab.fleetops("drill", "run", "INC-001", "--json", *words, timeout=DRILL_SECONDS)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    seen = json.loads(kept.read_text())
    assert {"gateway.log", "status"} <= set(seen)
    assert '"id": "random"' in seen["console"]
    drill = record["drill"]
    for place, text in {**seen, "the terminal": done.stderr}.items():
        # Lines from before the drill may name earlier drills; a log that was rotated meanwhile is shorter than before.
        size = before.get(place, 0)
        added = text[size:] if len(text) >= size else text
        for secret in (drill["id"], drill["title"], "canary-ramp"):
            assert secret not in added, f"{place} reveals {secret!r}"
    assert "done ['--json', '-x']" in done.stderr
    score, kinds = record["score"], [row["kind"] for row in record["timeline"]]
    assert {"hint", "diagnosis", "action"} <= set(kinds)
    assert score["hints"] == 1
    assert score["diagnosis"]["score"] == 1
    assert score["harmful_actions"] == score["false_pages"] == []
    assert score["autopilot"] is not None
    assert 70 <= score["points"] <= 90
    assert {row["actor"] for row in record["actions"] if row["action"] == "canary weight" and row["new"] == 0} == {
        "command-responder"
    }


@pytest.mark.parametrize("end", [pytest.param(signal.SIGINT, marks=more_drills), signal.SIGKILL])
def test_a_stopped_drill_leaves_no_fault_behind(lab: EmbeddedLab, end: signal.Signals) -> None:
    drill = subprocess.Popen(
        lab.command("drill", "run", "INC-001", "--keep-history"),
        env=lab.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert eventually(lambda: weight(lab) > 0, 240), "the fault was never injected"
        os.kill(drill.pid, end)
        output, _ = drill.communicate(timeout=60)
    finally:
        drill.kill()
    if end is not signal.SIGKILL:
        assert drill.returncode == 1
        assert "the drill was stopped" in output
        assert not journal_path(lab.home).exists()
    # After SIGKILL the watchdog undoes the drill.
    assert eventually(lambda: not journal_path(lab.home).exists(), 60)
    assert eventually(lambda: weight(lab) == 0, 60)


@more_drills
def test_a_drill_that_was_killed_with_its_watchdog_is_undone_by_doctor(lab: EmbeddedLab) -> None:
    drill = subprocess.Popen(
        lab.command("drill", "run", "INC-001"), env=lab.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert eventually(lambda: weight(lab) > 0, 240), "the fault was never injected"
        children = psutil.Process(drill.pid).children()
        (watchdog,) = (child for child in children if "lab.drills.undo.watchdog" in child.cmdline())
        watchdog.kill()
    finally:
        drill.kill()
        drill.wait()
    assert journal_path(lab.home).exists()
    findings = json.loads(lab.fleetops("doctor", "--json").stdout)["findings"]
    (finding,) = (finding for finding in findings if finding["name"] == "drill-leftovers")
    assert finding["ok"]
    assert "canary weight 50 % → 0 %" in finding["found"] or "canary weight 5 % → 0 %" in finding["found"]
    assert not journal_path(lab.home).exists()
    assert eventually(lambda: weight(lab) == 0, 60)


@more_drills
def test_a_retry_storm_outlives_its_trigger_by_a_minute_without_mitigation(lab: EmbeddedLab) -> None:
    status, record, _ = run(lab, "INC-007", "--responder", "none")
    assert status == 1
    stall = find("INC-007").faults[0]
    assert isinstance(stall, LinkStall)
    bad = next(signal for signal in record["signals"] if signal["name"] == "feed_availability_bad_ratio")
    first = round(stall.lasts_seconds - bad["start_seconds"])
    assert all(value is not None and value > 0.5 for value in bad["values"][first : first + 60])
