"""SLOs on pages: objectives, budgets, alert tiers, and the detection and reset times that follow from them."""

from __future__ import annotations

from collections.abc import Iterable

from lab import units
from lab.errors import LabError
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.render.tiers import tier_words
from lab.site.sources.context import SiteContext
from lab.slo import burn_rate
from lab.slo.catalogue import title
from lab.slo.durations import format_duration
from lab.slo.model import PAGE, Slo, Tier, Windows
from lab.slo.rendering.budget import interval_seconds
from lab.slo.thresholds import threshold_seconds

# Bad ratios of the tables, from a total outage down to one that never pages.
BAD_RATIOS = (1.0, 0.5, 0.1, 0.05, 0.02, 0.01, 0.002)


def factor(context: SiteContext) -> str:
    """How many times shorter the lab's windows are than production's, as text: `60x`."""
    return f"{context.factor}x"


def objective(context: SiteContext, ident: str) -> str:
    """The objective of one SLO, as text: `99 %`."""
    return f"{context.slos.slo(ident).objective_percent} %"


def threshold(context: SiteContext, ident: str) -> str:
    """The threshold of one latency SLO, as text: `400 ms`. Raises LabError for an SLO without one."""
    value = threshold_seconds(context.slos.slo(ident))
    if value is None:
        raise LabError(f"SLO {ident} has no latency threshold")
    return units.quantity(value, "seconds")


def slo_table(context: SiteContext) -> Markup:
    """Every SLO with its objective, bad event, budget in time and events, and alert."""
    days = context.slos.production.period_seconds / 86400
    rows = [
        (
            title(slo), f"{slo.objective_percent} %", _bad_event(slo),
            units.seconds(context.slos.production.period_seconds * slo.budget_ratio),
            f"{units.number(slo.budget_ratio * 1e6)} of {units.number(1e6)}",
            html.link(context.runbook(slo.alert_name), slo.alert_name),
        )
        for slo in context.slos.slos
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


def tier_table(context: SiteContext) -> Markup:
    """The alert tiers with their factors and budgets, in production's windows and the lab's."""
    lab = {tier.name: tier for tier in context.slos.lab.tiers}
    rows = [
        (
            tier_words(tier.name), f"{tier.factor:g}x", units.percent(tier.budget_ratio),
            _windows(tier), _windows(lab[tier.name]),
        )
        for tier in context.slos.production.tiers
    ]  # fmt: skip
    head = (
        "Tier",
        "Burn rate above",
        "Budget spent when it fires",
        "Production windows",
        f"Lab windows ({factor(context)})",
    )
    return html.table(head, rows, label="Alert tiers", numeric=True)


def _windows(tier: Tier) -> str:
    return f"{format_duration(tier.long_seconds)} and {format_duration(tier.short_seconds)}"


def detection_table(context: SiteContext) -> Markup:
    """Time from a step in the bad ratio until each production tier fires, by objective; `never` where it cannot."""
    windows = context.slos.production
    rows = []
    for objective_text, budget in _budgets(context.slos.slos):
        for tier in windows.tiers:
            cells = [_detection(tier, budget, bad, windows) for bad in BAD_RATIOS]
            rows.append((objective_text, f"{tier.severity} {tier.factor:g}x", *cells))
    head = ("Objective", "Tier", *(f"{units.percent(bad)} bad" for bad in BAD_RATIOS))
    return html.table(head, rows, label="Time to fire, production windows", numeric=True)


def reset_table(context: SiteContext) -> Markup:
    """Time from the end of a long-standing bad ratio until each production tier clears, by objective."""
    windows = context.slos.production
    rows = []
    for objective_text, budget in _budgets(context.slos.slos):
        for tier in windows.tiers:
            cells = []
            for bad in BAD_RATIOS:
                after = burn_rate.reset_seconds(tier, budget, bad)
                cells.append(_never() if after is None else units.seconds(after))
            rows.append((objective_text, f"{tier.severity} {tier.factor:g}x", *cells))
    head = ("Objective", "Tier", *(f"{units.percent(bad)} bad" for bad in BAD_RATIOS))
    return html.table(head, rows, label="Time to clear, production windows", numeric=True)


def slow_interval(context: SiteContext, profile: str = "production") -> str:
    """The evaluation interval of the ticket and budget rules, as text."""
    return units.seconds(interval_seconds(context.slos.windows(profile)))


def _budgets(slos: Iterable[Slo]) -> list[tuple[str, float]]:
    """(objective as text, budget ratio) of each distinct objective, the strictest first."""
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


def page_floor(context: SiteContext, ident: str) -> str:
    """The bad ratio up to which no page of an SLO fires, as text: the lowest page factor times the budget."""
    lowest_factor = min(tier.factor for tier in context.slos.production.of(PAGE))
    return units.percent(lowest_factor * context.slos.slo(ident).budget_ratio)


def tail(context: SiteContext, ident: str, outage_seconds: float, profile: str = "production") -> str:
    """How long the slow-burn page keeps firing after a total outage of `outage_seconds`, as text.

    Zero for an outage too short to fire it. Once it fires, its short window alone decides when it clears.
    """
    slow = max(context.slos.windows(profile).of(PAGE), key=lambda tier: tier.long_seconds)
    budget = context.slos.slo(ident).budget_ratio
    fires_after = burn_rate.detection_seconds(slow, budget, 1.0)
    if fires_after is None or outage_seconds <= fires_after:
        return units.seconds(0)
    return units.seconds(burn_rate.reset_seconds(slow, budget, 1.0) or 0)


def budget_time(context: SiteContext, ident: str) -> str:
    """The budget of one SLO as time of total failure in the production period, as text."""
    return units.seconds(context.slos.production.period_seconds * context.slos.slo(ident).budget_ratio)


def production_time(context: SiteContext, ident: str) -> str:
    """When the alert of drill `ident` would fire with production's windows, without scrape, evaluation and group wait.

    Uses the arithmetic of the lab's prediction with production's windows. Multiplying a lab time would be wrong: the
    fault develops at its own speed. Raises LabError for a drill without an SLO at stake, and where no tier fires.
    """
    drill = context.drill(ident)
    if drill.effect is None:
        raise LabError(f"{ident} has no SLO at stake, so production's windows give no time")
    slo, severity = context.slos.slo(drill.effect.slo), drill.expect.severity
    first = burn_rate.first_detection(context.slos.production.of(severity), slo.budget_ratio, drill.effect.profile)
    if first is None:
        raise LabError(f"{ident}: no {severity} tier of production's windows fires for {drill.effect.profile}")
    return units.seconds(first[0] + drill.effect.answered_after_seconds)


def detection(context: SiteContext, ident: str, bad_percent: float, profile: str = "production") -> str:
    """When a constant bad ratio pages, as text; `never` when it does not."""
    windows = context.slos.windows(profile)
    slo = context.slos.slo(ident)
    first = burn_rate.first_detection(windows.of(PAGE), slo.budget_ratio, [(windows.period_seconds, bad_percent / 100)])
    return "never" if first is None else units.seconds(first[0])


VIEWS = (
    factor, objective, threshold, slo_table, tier_table, detection_table, reset_table, tail, budget_time,
    production_time, detection, slow_interval, page_floor,
)  # fmt: skip
