"""The counts of a step: what the gateway is told to count, and its counters in Prometheus as the judge's intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lab import names
from lab.clients.gateway import PartSettings
from lab.clients.prometheus import Prometheus
from lab.rollout.evidence import Arm, Interval, Pair
from lab.slo.events import RequestEvents, request_events
from lab.slo.model import Slo
from lab.slo.query.tree import Matcher

METRICS = (
    names.COMPARISON_REQUESTS,
    names.COMPARISON_BAD_REQUESTS,
    names.COMPARISON_CLIENTS,
    names.COMPARISON_AFFECTED_CLIENTS,
)
ARMS = ("canary", "stable")
MAX_POINTS = 3000
PART = "comparison"  # the part of the gateway's state
NOTHING: PartSettings = {"step": "", "slos": {}}


class CountersReset(Exception):
    """A counter fell: the gateway restarted in the middle of the step, so the step's counts are incomplete."""


@dataclass(frozen=True)
class Totals:
    """One version's counters for one SLO at one scrape, since the step began."""

    requests: int = 0
    bad_requests: int = 0
    clients: int = 0
    affected: int = 0


Scrape = Mapping[tuple[str, str], Totals]  # by SLO and version


def counting(step: str, slos: Iterable[Slo], replica: tuple[str, str] | None = None) -> PartSettings:
    """What the gateway is told, to count the events of SLOs under the name of a step.

    `replica` is (upstream, URL) of the replica that is compared with the others; None compares the canary with stable.
    Raises UsageError for an SLO whose events are not requests.
    """
    events = {slo.sloth_id: _body(request_events(slo)) for slo in slos}
    compared = None if replica is None else {"upstream": replica[0], "url": replica[1]}
    return {"step": step, "slos": events, "replica": compared}


def _body(events: RequestEvents) -> dict[str, object]:
    """An SLO's events as the gateway reads them; `job` is a label that Prometheus adds."""

    def listed(matchers: tuple[Matcher, ...]) -> list[list[str]]:
        return [[matcher.label, matcher.op, matcher.value] for matcher in matchers if matcher.label != "job"]

    return {"total": listed(events.total), "bad": listed(events.bad), "above_seconds": events.above_seconds}


def read(prometheus: Prometheus, step: str, start: float, end: float) -> list[Scrape]:
    """The counters of `step` from `start` to `end` (epoch seconds), once a second, at MAX_POINTS points at most.

    The last point is at `end`, so whoever reads to the same end sees the same totals, wherever it starts.
    """
    # One query, so that all counters of a point are of the same scrape.
    query = f'{{__name__=~"{"|".join(METRICS)}",step="{step}"}}'
    values: dict[float, dict[tuple[str, str], dict[str, int]]] = {}
    interval = max(1.0, math.ceil((end - start) / MAX_POINTS))
    first = end - (end - start) // interval * interval
    for series in prometheus.range(query, first, end, interval):
        key = series.labels["slo"], series.labels["arm"]
        for at, value in series.points:
            values.setdefault(at, {}).setdefault(key, {})[series.labels["__name__"]] = round(value)
    scrapes: list[Scrape] = []
    for at in sorted(values):
        rows = values[at]
        if all(len(row) == len(METRICS) for row in rows.values()):
            scrapes.append({key: Totals(*(row[metric] for metric in METRICS)) for key, row in rows.items()})
    return scrapes


def intervals(scrapes: Sequence[Scrape], slos: Sequence[str]) -> dict[str, list[Interval]]:
    """The increments between consecutive scrapes, by SLO; the first one counts from zero.

    A scrape that repeats the one before, because Prometheus had no newer one, adds nothing. Raises CountersReset.
    """
    found: dict[str, list[Interval]] = {}
    for slo in slos:
        before = {arm: Totals() for arm in ARMS}
        found[slo] = []
        for scrape in scrapes:
            now = {arm: scrape.get((slo, arm), Totals()) for arm in ARMS}
            if now == before:
                continue
            pairs = [_difference(slo, before[arm], now[arm]) for arm in ARMS]
            found[slo].append(Interval(Pair(*(pair[0] for pair in pairs)), Pair(*(pair[1] for pair in pairs))))
            before = now
    return found


def _difference(slo: str, before: Totals, now: Totals) -> tuple[Arm, Arm]:
    """(requests, clients at risk) between two scrapes."""
    requests, bad = now.requests - before.requests, now.bad_requests - before.bad_requests
    affected = now.affected - before.affected
    if min(requests, bad, affected, now.clients - before.clients) < 0:
        raise CountersReset(f"the counts of {slo} fell from {before.requests} to {now.requests} requests")
    return Arm(requests, bad), Arm(now.clients - before.affected, affected)
