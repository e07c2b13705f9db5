"""Records of changes: a rollout, a configuration push, or a change that the error-budget policy refused.

Each holds what its verdict follows from: counts, or budgets. `verify` decides again: the same, or it is no evidence.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from lab.atomic_write import write_json
from lab.change import gate
from lab.change import policy as error_budget
from lab.change.gate import Budget, Decision
from lab.clients.documents import Document, as_builtins
from lab.clients.prometheus import Prometheus
from lab.clients.times import compact, epoch_seconds
from lab.drills.schema.parameters import from_json
from lab.errors import LabError, SpecError, UsageError
from lab.rollout import counts, recorded_step
from lab.rollout.journal import Event, Rollout
from lab.rollout.judge import Verdict
from lab.rollout.policy import Policy, policy_of, push_bounds
from lab.rollout.recorded_step import Step
from lab.slo.catalogue import LAB, load_windows, slos_of


class RolloutRecord(Document, frozen=True, kw_only=True, tag_field="schema", tag="fleetops.rollout/v1"):
    """A finished rollout. `pages` are the alerts that paged while it ran."""

    id: str
    service: str
    version: str
    previous: str
    outcome: Literal["promoted", "aborted"]
    policy: Policy
    events: list[Event]
    steps: list[Step]
    pages: list[str]


class PushRecord(Document, frozen=True, kw_only=True, tag_field="schema", tag="fleetops.push/v1"):
    """A staged configuration push of `changes`, judged on `replica`. `step`: None where there was no other replica.

    `old_version` and `new_version` are versions of the service's configuration; `pages` are the alerts that paged.
    """

    id: str
    service: str
    changes: dict[str, str]
    old_version: int
    new_version: int
    replica: str
    outcome: Literal["pushed", "taken back"]
    reason: str
    by: str
    policy: Policy
    started_at: str
    ended_at: str
    step: Step | None
    pages: list[str]

    @property
    def settings(self) -> str:
        """The changes as a command line has them."""
        return " ".join(f"{key}={value}" for key, value in self.changes.items())


class RefusalRecord(Document, frozen=True, kw_only=True, tag_field="schema", tag="fleetops.refusal/v1"):
    """The gate's decisions at one time, of which one refused a change, and the budgets that they follow from.

    `before` is the state of the service until then, for the hysteresis.
    """

    id: str
    service: str
    at: str
    policy: error_budget.Policy
    before: str
    budgets: list[Budget]
    decisions: dict[str, Decision]  # by kind of change


ChangeRecord = RolloutRecord | PushRecord | RefusalRecord


def build(
    rollout: Rollout, prometheus: Prometheus, bounds: dict[int, dict[str, float]], pages: list[str]
) -> RolloutRecord:
    """The record of a rollout that is over, from the counters that Prometheus still has.

    `bounds` by step and SLO. Raises UsageError while the rollout runs, LabError when Prometheus has none of its counts.
    """
    if not rollout.is_over:
        raise UsageError(
            f"the rollout of {rollout.service} {rollout.version} is {rollout.phase}; it must be over first"
        )
    start = epoch_seconds(rollout.events[0].at)
    steps = []
    for number in range(len(rollout.policy.steps_percent)):
        end = _decided_at(rollout.events, number)
        for attempt in itertools.count():
            scrapes = counts.read(prometheus, f"{rollout.id}/{number + 1}.{attempt}", start, end)
            if not scrapes and attempt > rollout.attempt:
                break
            if scrapes:
                weight = rollout.policy.steps_percent[number]
                steps.append(
                    recorded_step.step(number, attempt, weight, scrapes, bounds[number], rollout.policy.limits)
                )
    if not steps or _passed(rollout.events) - {step.step for step in steps}:
        raise LabError("Prometheus has not all counts of this rollout any more; a clean slate deletes them")
    return RolloutRecord(
        id=rollout.id, service=rollout.service, version=rollout.version, previous=rollout.previous,
        outcome="promoted" if rollout.phase == "promoted" else "aborted", policy=rollout.policy,
        events=rollout.events, steps=steps, pages=pages,
    )  # fmt: skip


def _decided_at(events: list[Event], step: int) -> float:
    """When a step ended (epoch seconds). Its verdict is of the counts until then; traffic goes on while it acts."""
    ended = (event for event in events if event.step > step or event.phase not in ("stepping", "held"))
    return epoch_seconds(next(ended).at)


def _passed(events: list[Event]) -> set[int]:
    """The steps that were passed."""
    promoted = {event.step for event in events if event.phase == "promoting"}
    return {step for event in events for step in range(event.step)} | promoted


def refusal(service: str, at: str, policy: error_budget.Policy, before: str, budgets: list[Budget]) -> RefusalRecord:
    """The record of the decisions by a service's budgets at `at` (UTC), after the state `before`.

    Raises UsageError when none refuses.
    """
    decisions = {change: gate.decide(policy, change, budgets, before) for change in error_budget.CHANGES}
    if all(decision.outcome == "allow" for decision in decisions.values()):
        raise UsageError(f"the error-budget policy refuses no change of {service} now, so there is nothing to record")
    ident = f"{service}-refused-{compact(at[:19])}"
    return RefusalRecord(
        id=ident, service=service, at=at, policy=policy, before=before, budgets=budgets, decisions=decisions
    )


def steps_of(record: ChangeRecord) -> list[Step]:
    """The steps that were judged; none where the gate refused the change, or where nothing was compared."""
    if isinstance(record, RolloutRecord):
        return record.steps
    return [record.step] if isinstance(record, PushRecord) and record.step is not None else []


def decisions_of(record: ChangeRecord) -> dict[str, Decision]:
    """The gate's decisions in a record, by kind of change."""
    return record.decisions if isinstance(record, RefusalRecord) else {}


def verify(record: ChangeRecord) -> Iterator[str]:
    """What is wrong with a record, as `/key: what`: nothing if each verdict follows from its counts or budgets."""
    if isinstance(record, RolloutRecord):
        yield from _verify_rollout(record)
    else:
        yield from _verify_push(record) if isinstance(record, PushRecord) else _verify_refusal(record)


def _verify_rollout(record: RolloutRecord) -> Iterator[str]:
    slos, windows = slos_of(record.service), load_windows(LAB)
    for index, one in enumerate(record.steps):
        if one.step >= len(record.policy.steps_percent):
            yield f"/steps/{index}/step: the policy has no step {one.step}"
            continue
        if one.weight_percent != record.policy.steps_percent[one.step]:
            yield f"/steps/{index}/weight_percent: is {one.weight_percent:g}, but the policy's is not"
        bounds = record.policy.bounds(slos, windows, one.step)
        yield from recorded_step.verify(one, bounds, record.policy.limits, f"/steps/{index}")
    if not record.steps or not record.events or record.events[-1].phase != record.outcome:
        yield "/events: have no end, or no step was judged"
        return
    verdicts = {one.step: one.verdict for one in record.steps}  # of the last attempt
    passed = _passed(record.events)
    if record.outcome == "promoted":
        passed |= set(range(len(record.policy.steps_percent)))
    for step in sorted(passed):
        if verdicts.get(step) is not Verdict.PASS:
            yield f"/steps: step {step} was passed, but its verdict is {verdicts.get(step, 'not recorded')}"


def _verify_push(record: PushRecord) -> Iterator[str]:
    slos = slos_of(record.service)
    if record.step is None:
        if slos and record.outcome == "pushed":
            yield f"/step: is null, but {record.service} has SLOs to be judged by"
        return
    yield from recorded_step.verify(record.step, push_bounds(record.policy, slos), record.policy.push_limits, "/step")
    if record.outcome == "pushed" and record.step.verdict is not Verdict.PASS:
        yield f"/outcome: is pushed, but the verdict is {record.step.verdict}"


def _verify_refusal(record: RefusalRecord) -> Iterator[str]:
    if all(decision.outcome == "allow" for decision in record.decisions.values()):
        yield "/decisions: none of them refuses"
    if record.before not in ("", *(state.name for state in record.policy.states)):
        yield f"/before: is {record.before!r}, which is no state of the policy"
    for change, decision in record.decisions.items():
        again = gate.decide(record.policy, change, record.budgets, record.before)
        for key in ("outcome", "state", "reason"):
            written, follows = getattr(decision, key), getattr(again, key)
            if written != follows:
                yield f"/decisions/{change}/{key}: is {written!r}, but by the budgets {follows!r}"


def load(file: Path) -> ChangeRecord:
    """The record in `file`. Raises UsageError, in one line with the key, when it holds none."""
    try:
        found = msgspec.json.decode(file.read_bytes(), type=ChangeRecord)
        _check_policy(found.policy, file)
        return found
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror})") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not the record of a change ({error})") from error


def _check_policy(policy: Policy | error_budget.Policy, file: Path) -> None:
    """Raise SpecError for a policy that no file could hold, and nothing can be judged by."""
    if isinstance(policy, error_budget.Policy):
        if not policy.states or policy.states[-1].above_ratio is not None:
            raise SpecError(file, "Expected a last state without a bound", key="policy.states")
    else:
        policy_of(from_json(as_builtins(policy), str(file), "policy"))


def write(record: ChangeRecord, file: Path) -> None:
    """Write a record. Raises UsageError when the file cannot be written."""
    try:
        write_json(file, as_builtins(record))
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
