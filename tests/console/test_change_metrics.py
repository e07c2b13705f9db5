"""The console's metrics of rollouts and of overrides, from their files."""

from __future__ import annotations

from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry

from lab import names
from lab.atomic_write import write_json
from lab.change import ask
from lab.change.ask import Memory, Override
from lab.clients.documents import as_builtins
from lab.console.change_metrics import ChangeMetrics
from lab.paths import Home
from lab.rollout import journal, progress
from lab.rollout.evidence import Arm, Pair
from lab.rollout.journal import Rollout
from lab.rollout.judge import Judgement, SloEvidence, Verdict
from lab.rollout.policy import read_policy

ROLLOUT = Rollout(
    id="feed-1.2.0-20260101T000000", service="feed", version="1.2.0", previous="1.0.0", stable_config=0,
    canary_config=0, restarts=0, salt="s", policy=read_policy(), phase="stepping", step=1, by="me", reason="release",
)  # fmt: skip
JUDGEMENT = Judgement(
    Verdict.HOLD, "more requests", 0.25, 2.6, 1.3,
    (SloEvidence("feed-availability", Pair(Arm(40, 1), Arm(100, 0)), Pair(Arm(4, 1), Arm(9, 0)), 0.25, 0.75, 0.0288),),
)  # fmt: skip


def exported(home: Home) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(ChangeMetrics(home))
    return registry


def lab_home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    for folder in (home.data, home.run):
        folder.mkdir(parents=True)
    return home


def test_a_rollout_and_its_evidence_are_metrics_while_it_runs(tmp_path: Path) -> None:
    home = lab_home(tmp_path)
    assert exported(home).get_sample_value(names.ROLLOUT_STEP) is None
    journal.save(home, ROLLOUT)
    progress.save(home, ROLLOUT, JUDGEMENT)
    value = exported(home).get_sample_value
    assert value(names.ROLLOUT_STEP) == 2
    assert [value(names.ROLLOUT_PHASE, {"phase": phase}) for phase in ("stepping", "held")] == [1, 0]
    assert [value(names.ROLLOUT_VERDICT, {"verdict": verdict}) for verdict in Verdict] == [0, 0, 1]
    assert value(names.ROLLOUT_EVIDENCE, {"kind": "harm", "slo": ""}) == 0.25
    assert value(names.ROLLOUT_EVIDENCE, {"kind": "health", "slo": "feed-availability"}) == 0.75
    assert [value(names.ROLLOUT_THRESHOLD, {"kind": kind}) for kind in ("harm", "health")] == [2.6, 1.3]


def test_evidence_of_another_step_or_of_a_rollout_that_is_over_is_not_shown(tmp_path: Path) -> None:
    home = lab_home(tmp_path)
    progress.save(home, ROLLOUT, JUDGEMENT)
    for changed in ({"step": 2}, {"attempt": 1}, {"phase": "aborted"}):
        journal.save(home, msgspec.structs.replace(ROLLOUT, **changed))
        assert exported(home).get_sample_value(names.ROLLOUT_EVIDENCE, {"kind": "harm", "slo": ""}) is None


def test_overrides_are_counted_by_service_and_kind_of_change(tmp_path: Path) -> None:
    home = lab_home(tmp_path)
    one = Override(
        service="feed", change="rollout", by="me", reason="it fixes the outage", at="2026-01-01T00:00:00.000Z",
        until="2026-01-01T00:30:00.000Z",
    )  # fmt: skip
    write_json(ask.memory_file(home), as_builtins(Memory(overrides=[one, one])))
    value = exported(home).get_sample_value
    assert value(names.BUDGET_OVERRIDES, {"service": "feed", "change": "rollout"}) == 2
    assert value(names.BUDGET_OVERRIDES, {"service": "user", "change": "config"}) == 0


def test_a_damaged_file_leaves_its_metrics_out(tmp_path: Path) -> None:
    home = lab_home(tmp_path)
    for file in (journal.file_of(home), ask.memory_file(home)):
        file.write_text("{", encoding="utf-8")
    assert list(ChangeMetrics(home).collect()) == []
