"""The record of a rollout: the verdicts follow from its counts, and one changed by hand is refused by key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from simulated import World, world

from lab import names
from lab.change import policy as error_budget
from lab.change.gate import Budget
from lab.cli.main import run
from lab.clients.documents import as_builtins
from lab.errors import LabError, UsageError
from lab.rollout import actions, record, recorded_step
from lab.rollout.controller import Controller
from lab.rollout.record import RolloutRecord

__all__ = ["world"]


@pytest.fixture
def aborted(world: World) -> RolloutRecord:
    """A rollout that is aborted; its counts are still in the gateway, as they are in a real Prometheus."""
    world.bad_ratio = 0.97
    world.start(names.VERSION_CANARY)
    controller = Controller(world.clients)
    while (rollout := world.tick(controller)).phase == "stepping":
        counting = world.gateway.state["comparison"]
        weight = world.gateway.state["canary"]["weight_percent"]
    assert rollout.phase == "aborted"
    world.gateway.state["comparison"] = counting
    world.gateway.state["canary"]["weight_percent"] = weight
    return actions.recorded(world.clients)


def test_a_record_has_the_verdict_of_each_step_and_its_counts_give_it_again(
    aborted: RolloutRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (step,) = aborted.steps
    assert (aborted.outcome, step.weight_percent, step.verdict) == ("aborted", 5, "fail")
    assert aborted.events[-1].reason == step.reason
    assert list(record.verify(aborted)) == []
    seen = recorded_step.judgements(step, aborted.policy.limits)
    assert [judgement.verdict for judgement in seen[:1] + seen[-1:]] == ["hold", "fail"]
    assert seen[-1].reason == step.reason
    file = tmp_path / "record.json"
    record.write(aborted, file)
    assert record.load(file) == aborted
    assert run(["rollout", "judge", str(file)]) == 0
    assert "fail" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda d: d["steps"][0].update(verdict="pass"), "/steps/0/verdict: is pass, but by the counts fail"),
        (lambda d: d["steps"][0].update(harm_log10=9.0), "/steps/0/harm_log10: is 9"),
        (lambda d: _counters(d)["affected"].__setitem__(-1, 10_000), "/steps/0/counts: "),
        (lambda d: _counters(d)["clients"].pop(), "/steps/0/counts: "),
        (lambda d: _counters(d)["requests"].__setitem__(-1, 0), "/steps/0/counts: "),
        (lambda d: d["steps"][0].update(reason="all is well"), "/steps/0/reason: is 'all is well', but by the counts"),
        (lambda d: d.update(outcome="promoted"), "/events: have no end"),
        (lambda d: promoted(d), "/steps: step 0 was passed, but its verdict is fail"),
        (lambda d: d["events"][-1].update(step=1), "/steps: step 0 was passed, but its verdict is fail"),
        (lambda d: d["steps"][0].update(weight_percent=99), "/steps/0/weight_percent: is 99"),
        (lambda d: d.update(steps=[]), "/events: have no end, or no step was judged"),
        (lambda d: d.update(events=[]), "/events: have no end, or no step was judged"),
    ],
    ids=[
        "verdict",
        "evidence",
        "affected",
        "a count gone",
        "a reset",
        "reason",
        "outcome",
        "outcome and end",
        "an event",
        "weight",
        "no step",
        "no event",
    ],
)
def test_a_record_changed_by_hand_is_refused_by_key(
    aborted: RolloutRecord, tmp_path: Path, change: Any, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    document = as_builtins(aborted)
    change(document)
    file = tmp_path / "record.json"
    file.write_text(json.dumps(document))
    assert run(["rollout", "judge", str(file)]) == 1
    assert f"{file}: {key}" in capsys.readouterr().err


def promoted(document: dict[str, Any]) -> None:
    document.update(outcome="promoted")
    document["events"][-1].update(phase="promoted")


def _counters(document: dict[str, Any]) -> dict[str, list[int]]:
    counters: dict[str, list[int]] = document["steps"][0]["counts"]["feed-availability"]["canary"]
    return counters


@pytest.mark.parametrize(
    ("policy", "key"),
    [
        ({"tier": "x"}, "policy.tier: 'x' must be one of page.quick, page.slow"),
        ({"steps_percent": [0]}, "policy.steps_percent[0]: 0 must be from 0.01 to 100"),
        ({"steps_percent": [5, 25]}, "policy.steps_percent[1]: 25 must be 100"),
        ({"alpha": 2}, "policy.alpha: 2 must be from"),
        ({"margin": 1e300}, "policy.margin: 1e+300 must be from 1 to 100"),
    ],
    ids=["tier", "weight", "last weight", "alpha", "margin"],
)
def test_a_record_with_a_policy_that_no_file_could_hold_is_refused_by_key(
    aborted: RolloutRecord, policy: dict[str, Any], key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = as_builtins(aborted)
    document["policy"].update(policy)
    file = tmp_path / "record.json"
    file.write_text(json.dumps(document))
    assert run(["rollout", "judge", str(file)]) == 2
    error = capsys.readouterr().err
    assert f"{file}: {key}" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "fleetops.rollout/v2"}', '{"schema": 1}'])
def test_a_damaged_record_is_named_in_one_line(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "record.json"
    file.write_text(text)
    assert run(["rollout", "judge", str(file)]) == 2
    error = capsys.readouterr().err
    assert f"{file} is not the record of a change" in error
    assert error.count("\n") == 1


def test_a_rollout_under_way_and_one_whose_counts_are_gone_have_no_record(world: World) -> None:
    world.start()
    with pytest.raises(UsageError, match="it must be over first"):
        actions.recorded(world.clients)
    world.finish(Controller(world.clients))
    with pytest.raises(LabError, match="not all counts of this rollout any more"):
        actions.recorded(world.clients)


POLICY = error_budget.read_policy()
SPENT = [Budget("feed-availability", -0.2, 0.0, 6.0, 43_200.0), Budget("feed-latency-p99", 0.9, 0.4, 6.0, 43_200.0)]


def test_what_the_gate_refused_follows_from_the_budgets_in_its_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = record.refusal("feed", "2026-01-01T00:00:00.000Z", POLICY, "", SPENT)
    assert {change: decision.outcome for change, decision in made.decisions.items()} == {
        "rollout": "deny", "config": "deny", "schema": "deny", "rollback": "allow", "security": "allow",
    }  # fmt: skip
    file = tmp_path / "refused.json"
    record.write(made, file)
    assert record.load(file) == made
    assert run(["rollout", "judge", str(file)]) == 0
    assert "rollback: allow, a rollback always passes; feed-availability has -20.0%" in capsys.readouterr().out


def test_a_refusal_that_does_not_follow_from_its_budgets_is_named(tmp_path: Path) -> None:
    made = record.refusal("feed", "2026-01-01T00:00:00.000Z", POLICY, "", SPENT)
    full = [Budget("feed-availability", 1.0, 0.0, 6.0, 43_200.0)]
    problems = list(record.verify(msgspec.structs.replace(made, budgets=full)))
    assert problems[0] == "/decisions/rollout/outcome: is 'deny', but by the budgets 'allow'"
    with pytest.raises(UsageError, match="refuses no change of feed now"):
        record.refusal("feed", "2026-01-01T00:00:00.000Z", POLICY, "", full)
