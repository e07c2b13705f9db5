"""A campaign: its runs, the results that count, and where a stopped one continues."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_record import record as made_record
from msgspec.structs import replace as replace_struct

from lab.cli.main import run
from lab.control.lab_clients import LabClients
from lab.drills.campaign import Campaign, Run, failure, keep_record, plan, result, summary
from lab.drills.evidence.provenance import of_drill
from lab.drills.schema.grades import Check, Verdict
from lab.drills.schema.record import Record, parse
from lab.drills.spec.drill import Drill, find
from lab.errors import LabError, Void
from lab.paths import Home

INC, D0 = find("INC-001"), find("D0")
AUTOPILOT = Run(INC, "autopilot", must_pass=True)


@pytest.fixture
def document() -> Record:
    return parse({**made_record(), "inputs": of_drill(INC)})


def test_every_autopilot_run_must_pass_and_every_control_must_fail() -> None:
    assert [(run.key, run.must_pass) for run in plan([INC, D0], controls=False)] == [
        ("INC-001/autopilot", True),
        ("D0/autopilot", True),
    ]
    controls = plan([INC, D0], controls=True)
    assert [run.key for run in controls] == ["INC-001/none", "INC-001/wrong", "D0/wrong"]
    assert not any(run.must_pass for run in controls)


def test_a_stopped_campaign_repeats_missing_failed_and_outdated_runs(tmp_path: Path, document: Record) -> None:
    (tmp_path / "data").mkdir()
    runs = plan([INC, D0], controls=False)
    first = Campaign(Home(tmp_path), controls=False)
    assert first.resume(runs) == runs
    first.add(result(runs[0], document))
    assert Campaign(Home(tmp_path), controls=False).resume(runs) == runs[1:]
    assert Campaign(Home(tmp_path), controls=True).resume(runs) == runs, "the controls are a campaign of their own"
    first.add(failure(runs[1], LabError("the lab stopped")))
    assert Campaign(Home(tmp_path), controls=False).resume(runs) == runs[1:]
    first.add(result(runs[0], replace_struct(document, inputs={"rules/old.yml": "sha256:" + "0" * 64})))
    assert Campaign(Home(tmp_path), controls=False).resume(runs) == runs
    first.clear()
    assert list((tmp_path / "data").iterdir()) == []


def test_with_a_damaged_state_file_every_run_is_missing(tmp_path: Path) -> None:
    runs = plan([INC], controls=False)
    campaign = Campaign(Home(tmp_path), controls=False)
    campaign.file.parent.mkdir()
    for text in ("{", "[]", '{"INC-001/autopilot": {"passed": true}}'):
        campaign.file.write_text(text)
        assert campaign.resume(runs) == runs


def failing(document: Record, name: str) -> Record:
    """The record with one check failed."""
    checks = [Check(name, passed=False, detail="no")]
    return replace_struct(document, verdict=Verdict(passed=False, void=False, why=f"{name}: no", checks=checks))


def test_a_void_run_is_never_as_expected_and_never_evidence(tmp_path: Path, document: Record) -> None:
    verdict = replace_struct(document.verdict, passed=False, void=True, why="too busy")
    void = replace_struct(document, verdict=verdict)
    for run_ in (AUTOPILOT, Run(INC, "none", must_pass=False)):
        outcome = result(run_, void)
        assert (outcome.void, outcome.as_expected, outcome.verdict) == (True, False, "void")
    assert failure(AUTOPILOT, Void("too busy")).void
    assert not failure(AUTOPILOT, LabError("not steady")).void
    assert keep_record(void, AUTOPILOT, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("voids", "runs", "status"), [(1, 2, 0), (2, 2, 1)])
def test_a_campaign_repeats_a_void_run_once_and_continues(
    tmp_path: Path, document: Record, monkeypatch: pytest.MonkeyPatch, voids: int, runs: int, status: int
) -> None:
    played: list[str] = []

    def play(drill: Drill, *_: Any) -> Record:
        played.append(drill.id)
        if len(played) <= voids:
            raise Void("INC-001 did not start within 180 s: this machine is too busy")
        return document

    monkeypatch.setenv("FLEETOPS_HOME", str(tmp_path))
    monkeypatch.setattr("lab.drills.spec.drill.catalogue", lambda: [INC])
    monkeypatch.setattr("lab.drills.runner.run_drill", play)
    monkeypatch.setattr("lab.paths.RECORDS", tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "token").write_text("secret")
    assert run(["drill", "all"]) == status
    assert len(played) == runs


def test_a_control_is_as_expected_if_it_was_paged_and_did_not_recover(document: Record) -> None:
    control = Run(INC, "none", must_pass=False)
    assert not result(control, document).as_expected
    failed = failing(document, "sli_recovered")
    assert result(control, failed).as_expected
    assert not result(control, failing(document, "runbook_worked")).as_expected, "it recovered"
    assert not failure(control, LabError("not steady")).as_expected, "a run without a verdict proves nothing"
    unpaged = replace_struct(failed, durations=replace_struct(failed.durations, page_seconds=None))
    assert not result(control, unpaged).as_expected, "a run without a page proves nothing"
    assert result(Run(D0, "wrong", must_pass=False), unpaged).as_expected, "nobody is paged in D0"


def test_only_a_passed_autopilot_run_is_evidence(tmp_path: Path, document: Record) -> None:
    failed = replace_struct(document, verdict=replace_struct(document.verdict, passed=False))
    assert keep_record(failed, AUTOPILOT, tmp_path) is None
    assert keep_record(document, Run(INC, "none", must_pass=False), tmp_path) is None
    assert keep_record(document, AUTOPILOT, tmp_path) == tmp_path / "INC-001.json"


def test_the_summary_compares_detection_with_prediction(document: Record) -> None:
    """The made record: predicted 22.3 s, an allowance of 4 s, paged at 25.4 s."""
    late = result(AUTOPILOT, document)
    assert late.late_seconds == pytest.approx(25.4 - 22.3)
    early = replace(late, page_seconds=20.3)
    text = "\n".join(summary([late, early, failure(AUTOPILOT, LabError("x"))]))
    assert "2 of 3 as expected" in text
    assert "page minus prediction: from -2.0 s to +3.1 s; the pipeline's allowance is 4 s" in text


def test_drill_all_runs_the_missing_drills_writes_records_and_reports_unexpected_results(
    clients: LabClients, document: Record, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records, ran = clients.home.path / "records", []
    records.mkdir()
    clients.home.data.mkdir()
    fails = failing(document, "held")
    answers: dict[str, Record | KeyboardInterrupt] = {"INC-001": KeyboardInterrupt(), "D0": document}

    def run_drill(drill: Drill, responder: str, *_: Any) -> Record:
        ran.append(f"{drill.id}/{responder}")
        if isinstance(answer := answers[drill.id], BaseException):
            raise answer
        named = replace_struct(answer.drill, id=drill.id)
        return replace_struct(answer, drill=named, inputs=of_drill(drill))

    monkeypatch.setenv("FLEETOPS_HOME", str(clients.home.path))
    monkeypatch.setattr("lab.drills.runner.run_drill", run_drill)
    monkeypatch.setattr("lab.drills.spec.drill.catalogue", lambda: [D0, INC])
    monkeypatch.setattr("lab.control.lab_clients.LabClients.here", lambda: clients)
    monkeypatch.setattr("lab.paths.RECORDS", records)

    assert run(["drill", "all"]) == 1
    assert "goes on from here" in capsys.readouterr().err
    assert [file.name for file in records.iterdir()] == ["D0.json"]
    answers["INC-001"] = fails
    assert run(["drill", "all", "--json"]) == 1
    output = capsys.readouterr()
    assert "resuming: 1 of 2 runs are done" in output.err
    assert "UNEXPECTED: held: no" in output.err
    assert [(row["key"], row["as_expected"]) for row in json.loads(output.out)] == [
        ("D0/autopilot", True),
        ("INC-001/autopilot", False),
    ]
    assert not (records / "INC-001.json").exists()
    answers["INC-001"] = document
    assert run(["drill", "all"]) == 0, "only the unexpected run is repeated"
    assert list(clients.home.data.glob("drills*.json")) == []
    assert (records / "INC-001.json").exists()
    answers["D0"] = answers["INC-001"] = fails
    assert run(["drill", "all", "--controls"]) == 0
    assert "3 of 3 as expected" in capsys.readouterr().out
    assert ran == [
        "D0/autopilot", *["INC-001/autopilot"] * 3, "D0/wrong", "INC-001/none", "INC-001/wrong",
    ]  # fmt: skip
