"""SLO pages: the promises and what the windows make of them."""

from __future__ import annotations

from collections.abc import Iterable

from lab import units
from lab.errors import LabError
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources.context import Book
from lab.slo import burn_rate
from lab.slo.catalogue import title
from lab.slo.durations import format_duration
from lab.slo.model import PAGE, Slo, Tier, Windows
from lab.slo.rendering.budget import interval_seconds
from lab.slo.thresholds import threshold_seconds

# Bad ratios for the tables: an outage, what a half-bad canary does, and down to what never pages.
BAD_RATIOS = (1.0, 0.5, 0.1, 0.05, 0.02, 0.01, 0.002)


def factor(book: Book) -> str:
    """`60x`."""
    return f"{book.factor}x"


def objective(book: Book, ident: str) -> str:
    """`99 %` of one SLO."""
    return f"{book.slos.slo(ident).objective_percent} %"


def threshold(book: Book, ident: str) -> str:
    """`400 ms` of one latency SLO, from the bucket edge its SLI compares with."""
    value = threshold_seconds(book.slos.slo(ident))
    if value is None:
        raise LabError(f"SLO {ident} has no latency threshold")
    return units.quantity(value, "seconds")


def slo_table(book: Book) -> Markup:
    """Objective, bad event, budget in time and events, owner and alert of every SLO."""
    days = book.slos.production.period_seconds / 86400
    rows = [
        (
            title(slo), f"{slo.objective_percent} %", _bad_event(slo),
            units.seconds(book.slos.production.period_seconds * slo.budget_ratio),
            f"{units.number(slo.budget_ratio * 1e6)} of {units.number(1e6)}",
            html.link(book.runbook(slo.alert_name), slo.alert_name),
        )
        for slo in book.slos.slos
    ]  # fmt: skip
    head = (
        "SLO",
        "Objective",
        "Bad event",
        f"Budget, {days:g} d of total failure",
        "Budget, events",
        "Alert and runbook",
    )
    return html.table(head, rows, label="Service level objectives")


def _bad_event(slo: Slo) -> str:
    edge = threshold_seconds(slo)
    return "answered with 5xx" if edge is None else f"successful, slower than {units.quantity(edge, 'seconds')}"


def tier_table(book: Book) -> Markup:
    """The four tiers, in production's windows and the lab's."""
    lab = {tier.name: tier for tier in book.slos.lab.tiers}
    rows = [
        (
            tier.name.replace(".", ", "), f"{tier.factor:g}x", units.percent(tier.budget_ratio),
            _windows(tier), _windows(lab[tier.name]),
        )
        for tier in book.slos.production.tiers
    ]  # fmt: skip
    head = (
        "Tier",
        "Burn rate above",
        "Budget spent when it fires",
        "Production windows",
        f"Lab windows ({factor(book)})",
    )
    return html.table(head, rows, label="Alert tiers", numeric=True)


def _windows(tier: Tier) -> str:
    return f"{format_duration(tier.long_seconds)} and {format_duration(tier.short_seconds)}"


def detection_table(book: Book) -> Markup:
    """Time from a step in the bad ratio until each production tier fires, by objective; `never` where it cannot."""
    windows = book.slos.production
    rows = []
    for objective_text, budget in _budgets(book.slos.slos):
        for tier in windows.tiers:
            cells = [_detection(tier, budget, bad, windows) for bad in BAD_RATIOS]
            rows.append((objective_text, f"{tier.severity} {tier.factor:g}x", *cells))
    head = ("Objective", "Tier", *(f"{units.percent(bad)} bad" for bad in BAD_RATIOS))
    return html.table(head, rows, label="Time to fire, production windows", numeric=True)


def reset_table(book: Book) -> Markup:
    """Time from the end of a long-standing bad ratio until each production tier clears, by objective."""
    windows = book.slos.production
    rows = []
    for objective_text, budget in _budgets(book.slos.slos):
        for tier in windows.tiers:
            cells = []
            for bad in BAD_RATIOS:
                after = burn_rate.reset_seconds(tier, budget, bad)
                cells.append(_never() if after is None else units.seconds(after))
            rows.append((objective_text, f"{tier.severity} {tier.factor:g}x", *cells))
    head = ("Objective", "Tier", *(f"{units.percent(bad)} bad" for bad in BAD_RATIOS))
    return html.table(head, rows, label="Time to clear, production windows", numeric=True)


def slow_interval(book: Book, profile: str = "production") -> str:
    """How often a ticket's rules and the budget's are evaluated."""
    return units.seconds(interval_seconds(book.slos.windows(profile)))


def _budgets(slos: Iterable[Slo]) -> list[tuple[str, float]]:
    """Each objective once, the tightest first."""
    return sorted({(f"{slo.objective_percent} %", slo.budget_ratio) for slo in slos}, key=lambda pair: pair[1])


def _detection(tier: Tier, budget: float, bad: float, windows: Windows) -> object:
    after = burn_rate.detection_seconds(tier, budget, bad)
    if after is None:
        return _never()
    first = burn_rate.first_detection(windows.of(tier.severity), budget, [(windows.period_seconds, bad)])
    is_first = first is not None and first[1] == tier
    return Markup('<b class="lab-paged">{}</b>').format(units.seconds(after)) if is_first else units.seconds(after)


def _never() -> Markup:
    return Markup('<span class="lab-never">never</span>')


def page_floor(book: Book, ident: str) -> str:
    """The bad ratio at and below which no page of an SLO fires: its page tiers' least factor times the budget."""
    least = min(tier.factor for tier in book.slos.production.of(PAGE))
    return units.percent(least * book.slos.slo(ident).budget_ratio)


def tail(book: Book, ident: str, outage_seconds: float, profile: str = "production") -> str:
    """How long the slow page tier keeps a page up after a total outage of a given length has ended.

    It has fired when the outage outlasted its long window's threshold; then its short window alone decides.
    """
    slow = max(book.slos.windows(profile).of(PAGE), key=lambda tier: tier.long_seconds)
    budget = book.slos.slo(ident).budget_ratio
    fires_after = burn_rate.detection_seconds(slow, budget, 1.0)
    if fires_after is None or outage_seconds <= fires_after:
        return units.seconds(0)
    return units.seconds(burn_rate.reset_seconds(slow, budget, 1.0) or 0)


def budget_time(book: Book, ident: str) -> str:
    """The budget of one SLO as time of total failure in its production period."""
    return units.seconds(book.slos.production.period_seconds * book.slos.slo(ident).budget_ratio)


def production_time(book: Book, ident: str) -> str:
    """When production's windows would fire for what drill `ident` does to its SLO; the pipeline comes on top.

    The same arithmetic as for the lab, with production's windows: the fault keeps its own speed, so a lab time must not
    be multiplied. LabError for a drill whose alert is no burn rate, and where no tier of its severity ever fires.
    """
    drill = next((one for one in book.catalogue if one.id == ident), None)
    if drill is None or drill.effect is None:
        raise LabError(f"{ident}: no drill with an SLO at stake, so production's windows say nothing of it")
    slo, severity = book.slos.slo(drill.effect.slo), drill.expect.severity
    first = burn_rate.first_detection(book.slos.production.of(severity), slo.budget_ratio, drill.effect.profile)
    if first is None:
        raise LabError(f"{ident}: no {severity} of production's windows ever fires for {drill.effect.profile}")
    return units.seconds(first[0] + drill.effect.answered_after_seconds)


def detection(book: Book, ident: str, bad_percent: float, profile: str = "production") -> str:
    """When a constant bad ratio pages; `never` when it does not."""
    windows = book.slos.windows(profile)
    slo = book.slos.slo(ident)
    first = burn_rate.first_detection(windows.of(PAGE), slo.budget_ratio, [(windows.period_seconds, bad_percent / 100)])
    return "never" if first is None else units.seconds(first[0])


VIEWS = (
    factor, objective, threshold, slo_table, tier_table, detection_table, reset_table, tail, budget_time,
    production_time, detection, slow_interval, page_floor,
)  # fmt: skip
