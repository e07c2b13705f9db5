"""One judged step in a record of a change: its counts, from which its verdict follows again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from lab.drills.schema.parts import Part
from lab.rollout import counts
from lab.rollout.counts import ARMS, Scrape, Totals
from lab.rollout.judge import Judgement, Limits, Verdict, judge

Count = Annotated[int, Meta(ge=0, le=2**53)]


class Counters(Part, frozen=True, kw_only=True):
    """One version's counters for one SLO at each scrape of a step, since the step began."""

    requests: list[Count]
    bad_requests: list[Count]
    clients: list[Count]
    affected: list[Count]


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


def verify(one: Step, bounds: dict[str, float], limits: Limits, where: str) -> Iterator[str]:
    """What is wrong with a step, as `where/key: what`: nothing if its verdict follows from its counts and bounds."""
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
    elif judgement.reason != one.reason:
        yield f"{where}/reason: is {one.reason!r}, but by the counts {judgement.reason!r}"
