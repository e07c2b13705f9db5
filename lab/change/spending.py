"""Reads the budget ledger of each SLO from a running lab.

The bad events are the samples from which the rules compute the remaining budget (lab/slo/rendering/budget.py), at the
time of their last evaluation. So the ledger sums to what `slo:period_error_budget_remaining:ratio` says. A sample is a
rate over the shortest window, recorded at each evaluation: rate x interval is a number of events, rarely a whole one,
and the window is how exactly an event is placed in time. Evaluations that were missed, on a machine that is too busy,
have no sample: as in the rule, their time counts as good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from lab.change import spans
from lab.change.ledger import Interval, Ledger, ledger
from lab.change.spans import Reach
from lab.clients.documents import Page
from lab.clients.prometheus import Prometheus
from lab.clients.times import epoch_seconds
from lab.control.lab_clients import LabClients
from lab.drills.evidence import record
from lab.drills.schema.record import Record
from lab.errors import LabError
from lab.paths import Home
from lab.slo.catalogue import load_specs
from lab.slo.durations import format_duration
from lab.slo.model import PAGE, Slo, Tier, Windows
from lab.slo.rendering import series
from lab.slo.rendering.budget import interval_seconds

_NO_RATE = 1e-9  # the rule's own floor of the total, a sum of rates


@dataclass(frozen=True)
class Spending:
    """What spent one SLO's budget until `at` (epoch seconds), and the remaining ratio that the rule recorded then."""

    at: float
    remaining_ratio: float
    ledger: Ledger


@dataclass(frozen=True)
class Samples:
    """The (epoch seconds, rate) samples of the period until `at`: of bad events, and of all events (at least one)."""

    at: float
    remaining_ratio: float
    bad: list[tuple[float, float]]
    total: list[tuple[float, float]]

    def intervals(self, windows: Windows) -> list[Interval]:
        """The bad events of each sample, in the window of its rate."""
        return [Interval(at - windows.shortest_seconds, at, _events(rate, windows)) for at, rate in self.bad]

    def allowed(self, slo: Slo, windows: Windows) -> Fraction:
        """The number of bad events that is the whole budget.

        As in the rule, there are at least as many events as bad ones, and time without samples counts as good.
        """
        bad, total = (sum((_events(rate, windows) for _, rate in row), Fraction(0)) for row in (self.bad, self.total))
        known = Fraction(1)
        if slo.policy.cold_start_as_warm:
            known = min(known, Fraction(len(self.total), windows.period_seconds // interval_seconds(windows)))
        return max(bad, total, _events(_NO_RATE, windows)) * Fraction(100 - slo.objective_percent) / 100 / known


def _events(rate: float, windows: Windows) -> Fraction:
    """The events that one sample stands for: its rate, until the next evaluation."""
    return Fraction(rate) * interval_seconds(windows)


def read(
    clients: LabClients, slos: list[Slo], windows: Windows, report: Callable[[str], None]
) -> list[tuple[Slo, Spending | None]]:
    """The spending of each SLO; None where Prometheus does not know the remaining budget.

    `report` gets a line about each record of this lab that cannot be read: its drill is not in the ledger.
    """
    drilled = spans.drills(_records(clients.home, report))
    delivered, rows = clients.pager.pages(), clients.pager.audit()
    changed = spans.changes(rows, max(tier.long_seconds for tier in windows.of(PAGE)))
    reach = _reach(clients.prometheus, windows)

    def spending(slo: Slo) -> Spending | None:
        samples = _samples(clients.prometheus, slo, windows)
        if samples is None:
            return None
        intervals = samples.intervals(windows)
        paged = spans.pages(delivered, drilled, reach, slo.sloth_id, intervals)
        allowed = samples.allowed(slo, windows)
        return Spending(samples.at, samples.remaining_ratio, ledger(intervals, [*drilled, *paged, *changed], allowed))

    return [(slo, spending(slo)) for slo in slos]


def _records(home: Home, report: Callable[[str], None]) -> Iterator[Record]:
    for file in sorted(record.folder(home).glob("*.json")):
        try:
            yield record.read(file)
        except LabError as error:
            report(str(error))


def _samples(prometheus: Prometheus, slo: Slo, windows: Windows) -> Samples | None:
    remaining = f"{series.BUDGET_REMAINING}{series.selector(slo)}"
    at = prometheus.number(f"timestamp({remaining})")
    left = None if at is None else prometheus.number(remaining, at)
    if at is None or left is None:
        return None
    shortest = windows.shortest_seconds
    period = f"{series.selector(slo)}[{format_duration(windows.period_seconds)}]"
    bad, total = (
        [point for row in prometheus.samples(f"{name(shortest)}{period}", at) for point in row.points]
        for name in (series.error_rate, series.total_rate)
    )
    return Samples(at, left, bad, total)


def _reach(prometheus: Prometheus, windows: Windows) -> Callable[[Page], Reach]:
    """How far each page reaches back: over the long window of the first tier that held then, quick before slow.

    A page without an SLO counts as a fast burn.
    """
    tiers, slos = windows.of(PAGE), {slo.sloth_id: slo for slo in load_specs()}
    quiet = max(tier.short_seconds for tier in tiers)

    def held(tier: Tier, slo: Slo, at: float) -> bool:
        ratios = (
            prometheus.number(f"{series.error_ratio(window)}{series.selector(slo)}", at)
            for window in (tier.short_seconds, tier.long_seconds)
        )
        return all(ratio is not None and ratio > tier.factor * slo.budget_ratio for ratio in ratios)

    @cache
    def reach(sloth_id: str, starts_at: str) -> Reach:
        slo = slos.get(sloth_id)
        fired_by = (
            tiers[0]
            if slo is None
            else next((tier for tier in tiers if held(tier, slo, epoch_seconds(starts_at))), tiers[-1])
        )
        return Reach(fired_by.long_seconds, quiet)

    return lambda page: reach(page.labels.get(series.LABEL_ID, ""), page.starts_at)
