"""The record of a rollout: what it did, with the counts that each verdict follows from.

`verify` judges the counts again: the same verdicts, or the record is not evidence.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from lab.atomic_write import write_json
from lab.clients.documents import Document, as_builtins
from lab.clients.prometheus import Prometheus
from lab.clients.times import epoch_seconds
from lab.drills.schema.parts import Part
from lab.errors import LabError, UsageError
from lab.rollout import counts
from lab.rollout.counts import ARMS, Scrape, Totals
from lab.rollout.journal import Event, Rollout
from lab.rollout.judge import Judgement, Verdict, judge
from lab.rollout.policy import Policy

SCHEMA: Literal["fleetops.rollout/v1"] = "fleetops.rollout/v1"


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


class RolloutRecord(Document, frozen=True, kw_only=True):
    """A finished rollout. `pages` are the alerts that paged while it ran."""

    schema: Literal["fleetops.rollout/v1"]
    id: str
    service: str
    version: str
    previous: str
    outcome: Literal["promoted", "aborted"]
    policy: Policy
    events: list[Event]
    steps: list[Step]
    pages: list[str]


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
                steps.append(_step(rollout, number, attempt, scrapes, bounds[number]))
    if not steps:
        raise LabError("Prometheus has no counts of this rollout any more; a clean slate deletes them")
    return RolloutRecord(
        schema=SCHEMA, id=rollout.id, service=rollout.service, version=rollout.version, previous=rollout.previous,
        outcome="promoted" if rollout.phase == "promoted" else "aborted", policy=rollout.policy,
        events=rollout.events, steps=steps, pages=pages,
    )  # fmt: skip


def _step(rollout: Rollout, number: int, attempt: int, scrapes: list[Scrape], bounds: dict[str, float]) -> Step:
    series = {
        slo: {arm: _counters([scrape.get((slo, arm), Totals()) for scrape in scrapes]) for arm in ARMS}
        for slo in bounds
    }
    judgement = _judge(series, bounds, rollout.policy)
    return Step(
        step=number, attempt=attempt, weight_percent=rollout.policy.steps_percent[number], bounds=bounds,
        verdict=judgement.verdict, reason=judgement.reason, harm_log10=round(judgement.harm_log10, 6), counts=series,
    )  # fmt: skip


def _counters(totals: list[Totals]) -> Counters:
    return Counters(
        requests=[at.requests for at in totals], bad_requests=[at.bad_requests for at in totals],
        clients=[at.clients for at in totals], affected=[at.affected for at in totals],
    )  # fmt: skip


def _judge(series: dict[str, dict[str, Counters]], bounds: dict[str, float], policy: Policy) -> Judgement:
    return judge(counts.intervals(_scrapes(series), list(bounds)), bounds, policy.limits)


def judgements(step: Step, policy: Policy) -> list[Judgement]:
    """The judgement after each scrape of a step, the last one that of the step."""
    scrapes = _scrapes(step.counts)
    return [
        judge(counts.intervals(scrapes[:end], list(step.bounds)), step.bounds, policy.limits)
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


def verify(record: RolloutRecord) -> Iterator[str]:
    """What is wrong with a record, as `/key: what`: nothing if each verdict follows from its counts."""
    for index, step in enumerate(record.steps):
        try:
            judgement = _judge(step.counts, step.bounds, record.policy)
        except (ValueError, IndexError, counts.CountersReset) as error:
            yield f"/steps/{index}/counts: {error}"
            continue
        if judgement.verdict is not step.verdict:
            yield f"/steps/{index}/verdict: is {step.verdict}, but by the counts {judgement.verdict}"
        elif abs(judgement.harm_log10 - step.harm_log10) > 1e-5:
            yield f"/steps/{index}/harm_log10: is {step.harm_log10:g}, but by the counts {judgement.harm_log10:g}"
    last = record.steps[-1].verdict if record.steps else None
    if record.outcome == "promoted" and last is not Verdict.PASS:
        yield f"/outcome: is promoted, but the last step's verdict is {last}"


def load(file: Path) -> RolloutRecord:
    """The record in `file`. Raises UsageError, in one line with the key, when it holds none."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=RolloutRecord)
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror})") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not the record of a rollout ({error})") from error


def write(record: RolloutRecord, file: Path) -> None:
    """Write a record. Raises UsageError when the file cannot be written."""
    try:
        write_json(file, as_builtins(record))
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
