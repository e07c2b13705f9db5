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
from lab.clients.times import epoch_seconds
from lab.drills.schema.parts import Part
from lab.errors import LabError, UsageError
from lab.rollout import counts
from lab.rollout.counts import ARMS, Scrape, Totals
from lab.rollout.journal import Event, Rollout
from lab.rollout.judge import Judgement, Limits, Verdict, judge
from lab.rollout.policy import Policy, push_bounds
from lab.slo.catalogue import LAB, load_windows, slos_of


class Counters(Part, frozen=True, kw_only=True):
    """One version's counters for one SLO at each scrape of a step, since the step began."""

    requests: list[int]
    bad_requests: list[int]
    clients: list[int]
    affected: list[int]


class Step(Part, frozen=True, kw_only=True):
    """One attempt of one step. `bounds`: the bad ratio below which each SLO passes; `counts` by SLO and version."""

    step: int
    attempt: int
    weight_percent: float
    bounds: dict[str, float]
    verdict: Verdict
    reason: str
    harm_log10: float
    counts: dict[str, dict[str, Counters]]


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
    start, end = (epoch_seconds(rollout.events[index].at) for index in (0, -1))
    steps = []
    for number in range(len(rollout.policy.steps_percent)):
        for attempt in itertools.count():
            scrapes = counts.read(prometheus, f"{rollout.id}/{number + 1}.{attempt}", start, end)
            if not scrapes and attempt > rollout.attempt:
                break
            if scrapes:
                weight = rollout.policy.steps_percent[number]
                steps.append(step(number, attempt, weight, scrapes, bounds[number], rollout.policy.limits))
    begun = {event.step for event in rollout.events if event.phase in ("stepping", "promoting")}
    passed = set(range(max(begun))) | ({max(begun)} if rollout.phase == "promoted" else set())
    if not steps or passed - {step.step for step in steps}:
        raise LabError("Prometheus has not all counts of this rollout any more; a clean slate deletes them")
    return RolloutRecord(
        id=rollout.id, service=rollout.service, version=rollout.version, previous=rollout.previous,
        outcome="promoted" if rollout.phase == "promoted" else "aborted", policy=rollout.policy,
        events=rollout.events, steps=steps, pages=pages,
    )  # fmt: skip


def refusal(service: str, at: str, policy: error_budget.Policy, before: str, budgets: list[Budget]) -> RefusalRecord:
    """The record of the decisions by a service's budgets at `at` (UTC), after the state `before`.

    Raises UsageError when none refuses.
    """
    decisions = {change: gate.decide(policy, change, budgets, before) for change in error_budget.CHANGES}
    if all(decision.outcome == "allow" for decision in decisions.values()):
        raise UsageError(f"the error-budget policy refuses no change of {service} now, so there is nothing to record")
    ident = f"{service}-refused-{at[:19].replace(':', '').replace('-', '')}"
    return RefusalRecord(
        id=ident, service=service, at=at, policy=policy, before=before, budgets=budgets, decisions=decisions
    )


def step(
    number: int, attempt: int, weight_percent: float, scrapes: list[Scrape], bounds: dict[str, float], limits: Limits
) -> Step:
    """One attempt of one step, judged from its scrapes. `bounds` by SLO."""
    series = {
        slo: {arm: _counters([scrape.get((slo, arm), Totals()) for scrape in scrapes]) for arm in ARMS}
        for slo in bounds
    }
    judgement = _judge(series, bounds, limits)
    return Step(
        step=number, attempt=attempt, weight_percent=weight_percent, bounds=bounds, verdict=judgement.verdict,
        reason=judgement.reason, harm_log10=round(judgement.harm_log10, 6), counts=series,
    )  # fmt: skip


def _counters(totals: list[Totals]) -> Counters:
    return Counters(
        requests=[at.requests for at in totals], bad_requests=[at.bad_requests for at in totals],
        clients=[at.clients for at in totals], affected=[at.affected for at in totals],
    )  # fmt: skip


def _judge(series: dict[str, dict[str, Counters]], bounds: dict[str, float], limits: Limits) -> Judgement:
    return judge(counts.intervals(_scrapes(series), list(bounds)), bounds, limits)


def judgements(step: Step, limits: Limits) -> list[Judgement]:
    """The judgement after each scrape of a step, the last one that of the step."""
    scrapes = _scrapes(step.counts)
    return [
        judge(counts.intervals(scrapes[:end], list(step.bounds)), step.bounds, limits)
        for end in range(1, len(scrapes) + 1)
    ]


def _scrapes(series: dict[str, dict[str, Counters]]) -> list[Scrape]:
    length = max((len(row.requests) for arms in series.values() for row in arms.values()), default=0)
    return [
        {
            (slo, arm): Totals(row.requests[at], row.bad_requests[at], row.clients[at], row.affected[at])
            for slo, arms in series.items()
            for arm, row in arms.items()
        }
        for at in range(length)
    ]


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
        bounds = record.policy.bounds(slos, windows, one.step)
        yield from _verify_step(one, bounds, record.policy.limits, f"/steps/{index}")
    last = record.steps[-1].verdict if record.steps else None
    if record.outcome == "promoted" and last is not Verdict.PASS:
        yield f"/outcome: is promoted, but the last step's verdict is {last}"


def _verify_push(record: PushRecord) -> Iterator[str]:
    slos = slos_of(record.service)
    if record.step is None:
        if slos and record.outcome == "pushed":
            yield f"/step: is null, but {record.service} has SLOs to be judged by"
        return
    yield from _verify_step(record.step, push_bounds(record.policy, slos), record.policy.push_limits, "/step")
    if record.outcome == "pushed" and record.step.verdict is not Verdict.PASS:
        yield f"/outcome: is pushed, but the verdict is {record.step.verdict}"


def _verify_step(one: Step, bounds: dict[str, float], limits: Limits, where: str) -> Iterator[str]:
    if one.bounds != bounds:
        yield f"{where}/bounds: are not those of the policy and the SLOs"
        return
    try:
        judgement = _judge(one.counts, one.bounds, limits)
    except (ValueError, IndexError, counts.CountersReset) as error:
        yield f"{where}/counts: {error}"
        return
    if judgement.verdict is not one.verdict:
        yield f"{where}/verdict: is {one.verdict}, but by the counts {judgement.verdict}"
    elif abs(judgement.harm_log10 - one.harm_log10) > 1e-5:
        yield f"{where}/harm_log10: is {one.harm_log10:g}, but by the counts {judgement.harm_log10:g}"


def _verify_refusal(record: RefusalRecord) -> Iterator[str]:
    if all(decision.outcome == "allow" for decision in record.decisions.values()):
        yield "/decisions: none of them refuses"
    for change, decision in record.decisions.items():
        again = gate.decide(record.policy, change, record.budgets, record.before)
        if again.outcome != decision.outcome:
            yield f"/decisions/{change}/outcome: is {decision.outcome}, but by the budgets {again.outcome}"


def load(file: Path) -> ChangeRecord:
    """The record in `file`. Raises UsageError, in one line with the key, when it holds none."""
    try:
        found = msgspec.json.decode(file.read_bytes(), type=ChangeRecord)
        _check_policy(found.policy)
        return found
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror})") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not the record of a change ({error})") from error


def _check_policy(policy: Policy | error_budget.Policy) -> None:
    """Raise ValueError for a policy that no file could hold, and nothing can be judged by."""
    if isinstance(policy, error_budget.Policy):
        if not policy.states or policy.states[-1].above_ratio is not None:
            raise ValueError("Expected a last state without a bound - at `$.policy.states`")
    elif not (0 < policy.alpha < 1 and 0 < policy.confidence < 1 and policy.margin >= 1 and policy.steps_percent):
        raise ValueError("Expected alpha and confidence between 0 and 1, margin from 1, steps - at `$.policy`")


def write(record: ChangeRecord, file: Path) -> None:
    """Write a record. Raises UsageError when the file cannot be written."""
    try:
        write_json(file, as_builtins(record))
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
