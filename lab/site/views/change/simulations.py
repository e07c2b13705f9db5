"""Simulated rollouts on pages, beside what the burn-rate alerts see of the same canary."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from lab import units
from lab.errors import LabError
from lab.rollout.policy import FULL_PERCENT, Policy, read_policy
from lab.site.render import html, plot
from lab.site.render.html import Markup
from lab.site.sources import benchmarks
from lab.site.sources.benchmarks import Detection, SimulatedRollouts
from lab.site.sources.context import SiteContext
from lab.slo.burn_rate import first_detection
from lab.slo.catalogue import LAB
from lab.slo.model import PAGE, TICKET, Slo, Tier
from lab.traffic.__main__ import DEFAULT_RATE
from lab.traffic.mix import FEED_RATIO

SLO = "feed-latency-p99"  # the one that the simulated versions miss
FEEDS_PER_SECOND = DEFAULT_RATE * FEED_RATIO
SECONDS = [(seconds, units.seconds(seconds)) for seconds in (1, 10, 60, 600, 3600)]


def simulated(context: SiteContext) -> SimulatedRollouts:
    """The simulated rollouts. Raises LabError, with the command, when they are missing or of another policy."""
    figures = benchmarks.read(context.docs, "rollout", SimulatedRollouts)
    if figures.policy != read_policy(context.rules / "policy" / "rollout.yml"):
        raise LabError(
            f"docs/{benchmarks.FIGURES}, section 'rollout': rules/policy/rollout.yml changed since;"
            f" run `python -m scripts.bench_rollout --record docs/{benchmarks.FIGURES}`"
        )
    return figures


def blind_spot(context: SiteContext) -> Markup:
    """When pages, tickets and the judge notice a bad canary, by its weight and by the share of its bad requests.

    A picture of both axes, a table of the limits of each page, and the data.
    """
    figures, slo = simulated(context), context.slos.slo(SLO)
    bad_ratios = list(dict.fromkeys(row.bad_ratio for row in figures.detection))
    panels, data = [], []
    for bad_ratio in bad_ratios:
        rows = [row for row in figures.detection if row.bad_ratio == bad_ratio]
        curves = [*_alert_curves(context, slo, bad_ratio), *_gate_curves(rows)]
        description = (
            f"{_bad(bad_ratio)}. Horizontal: weight of the canary, 1 to 100 %. Vertical: seconds until each notices, or"
            " never. The figures are in the data table."
        )
        drawing = plot.plot(
            f"blind-spot-{bad_ratio * 100:g}", _bad(bad_ratio), description,
            plot.Axis(1, 100, [(weight, f"{weight:g}{units.NBSP}%") for weight in (1, *figures.policy.steps_percent)],
                      log=True),
            plot.Axis(1, 5000, SECONDS, log=True, never="never"), curves,
        )  # fmt: skip
        panels.append(Markup("<div><strong>{}</strong>{}</div>").format(_bad(bad_ratio), drawing))
        data += [_data(context, slo, row) for row in rows]
    head = ("Bad", "Weight", "Fast-burn page", "Slow-burn page", "Ticket", "Judge, median", "Judge, p95")
    table = html.table(head, data, label="Time until each notices a bad canary", numeric=True)
    caption = Markup(
        "Time until it is noticed, by the weight of the canary, in lab time, {}x; both axes are"
        " logarithmic. Pages and tickets are those of {}, computed from the windows, with a stable version that is good"
        " throughout. The judge: {} simulated rollouts for each point, kept at that weight for {}."
    ).format(context.factor, SLO, figures.bad_runs, units.seconds(figures.within_seconds))
    body = Markup('<div class="lab-panels">{}{}</div>').format(Markup().join(panels), plot.key(curves))
    drawn = plot.figure("blind-spot", "Who notices a bad canary, and when?", caption, body, data=table)
    return drawn + _limits(context, slo, figures, bad_ratios)


def _bad(bad_ratio: float) -> str:
    if bad_ratio == 1:
        return "Bad for every request"
    return f"Bad for {units.percent(bad_ratio, 0)} of requests"


def _alerts(context: SiteContext) -> dict[str, tuple[str, list[Tier]]]:
    """By title: the CSS class of the line, and the tiers of which the first to fire counts."""
    windows = context.slos.windows(LAB)
    fast, slow = windows.of(PAGE)
    return {
        "fast-burn page": ("line--1", [fast]),
        "slow-burn page": ("line--1 line--late", [slow]),
        "ticket": ("line--2", list(windows.of(TICKET))),
    }


def _alert_curves(context: SiteContext, slo: Slo, bad_ratio: float) -> Iterable[plot.Curve]:
    for title, (kind, tiers) in _alerts(context).items():
        limits = {tier.factor * slo.budget_ratio / bad_ratio * 100 * 1.001 for tier in tiers}
        weights = sorted({float(weight) for weight in range(1, 101)} | {limit for limit in limits if 1 < limit < 100})
        yield plot.Curve(title, kind, [(weight, _after(slo, tiers, weight, bad_ratio)) for weight in weights])


def _after(slo: Slo, tiers: Sequence[Tier], weight_percent: float, bad_ratio: float) -> float:
    """Seconds until the first of the tiers fires; infinite when none does."""
    found = first_detection(tiers, slo.budget_ratio, [(1.0, weight_percent / 100 * bad_ratio)])
    return math.inf if found is None else found[0]


def _gate_curves(rows: Sequence[Detection]) -> list[plot.Curve]:
    def points(of: Callable[[Detection], float | None]) -> list[tuple[float, float]]:
        return [(row.weight_percent, math.inf if (value := of(row)) is None else value) for row in rows]

    return [
        plot.Curve("judge, 95th percentile", "line--0 line--late", points(lambda row: row.p95_seconds)),
        plot.Curve("judge, median", "line--0", points(lambda row: row.median_seconds), dots=True),
    ]


def _data(context: SiteContext, slo: Slo, row: Detection) -> tuple[str, ...]:
    alerts = [_after(slo, tiers, row.weight_percent, row.bad_ratio) for _, tiers in _alerts(context).values()]
    judge = [math.inf if value is None else value for value in (row.median_seconds, row.p95_seconds)]
    times = ("never" if math.isinf(after) else units.seconds(after) for after in (*alerts, *judge))
    return units.percent(row.bad_ratio, 0), f"{row.weight_percent:g}{units.NBSP}%", *times


def _limits(context: SiteContext, slo: Slo, figures: SimulatedRollouts, bad_ratios: Sequence[float]) -> Markup:
    """Per bad ratio: the weights above which each page fires, the judge at the first step, and the whole ladder."""
    first = figures.policy.steps_percent[0]
    rows = []
    for bad_ratio in bad_ratios:
        at_first = next(r for r in figures.detection if (r.weight_percent, r.bad_ratio) == (first, bad_ratio))
        ladder = next(row for row in figures.ladder if row.bad_ratio == bad_ratio)
        outcomes = {"aborted": ladder.aborted, "held": ladder.held, "promoted": ladder.promoted}
        rows.append(
            (
                _bad(bad_ratio),
                *(_floor(slo, tier, bad_ratio) for tier in sorted(_pages(context), key=lambda tier: tier.factor)),
                "not in time" if at_first.median_seconds is None else units.seconds(at_first.median_seconds),
                ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items() if count),
                f"{ladder.p95_bad_requests:g}",
            )
        )
    head = (
        "Canary", "Slow-burn page, above a weight of", "Fast-burn page, above",
        f"Judge at {first:g}{units.NBSP}%, median", f"{figures.bad_runs} rollouts over the whole ladder",
        "Bad requests in 95 % of them, at most",
    )  # fmt: skip
    return html.table(head, rows, label="What notices a bad canary")


def _pages(context: SiteContext) -> list[Tier]:
    return list(context.slos.windows(LAB).of(PAGE))


def _floor(slo: Slo, tier: Tier, bad_ratio: float) -> str:
    weight = tier.factor * slo.budget_ratio / bad_ratio
    return units.percent(weight, 1) if weight < 1 else "never"


def false_aborts(context: SiteContext) -> Markup:
    """Simulated rollouts of a healthy version that the judge aborted, with the bound of their ratio."""
    figures = simulated(context)
    cases = {
        "independent": "requests go bad independently",
        "unlucky_clients": f"{units.percent(figures.unlucky_ratio, 0)} of the clients have only bad requests,"
        " on either version",
    }
    rows = [
        (cases[name], figures.runs, row.aborted, units.percent(row.upper_bound_ratio))
        for name, row in figures.healthy.items()
    ]
    head = ("Healthy version", "Rollouts", "Aborted", "At most, at 95 % (Clopper and Pearson)")
    return html.table(head, rows, label="False aborts, simulated")


def most_it_costs(context: SiteContext, policy: Policy, weight_percent: float) -> Markup:
    """The bad requests of a version that turns bad for every request at this weight, and their share of a p99 budget.

    Below 100 %: until the judge aborts it, in 95 % of simulated rollouts. At 100 % there is no stable version to
    compare with: until the page fires, which aborts it.
    """
    slo, windows = context.slos.slo(SLO), context.slos.windows(LAB)
    if weight_percent == FULL_PERCENT:
        cost = _after(slo, _pages(context), weight_percent, 1.0) * FEEDS_PER_SECOND
    else:
        rows = simulated(context).detection
        found = next((r for r in rows if (r.weight_percent, r.bad_ratio) == (weight_percent, 1.0)), None)
        if found is None or found.p95_bad_requests is None:
            raise LabError(f"no simulated rollout of {policy.steps_percent} says what {weight_percent:g} % costs")
        cost = found.p95_bad_requests
    budget = slo.budget_ratio * FEEDS_PER_SECOND * windows.period_seconds
    return Markup("{} requests<br><small>{} of the p99 budget</small>").format(
        f"{cost:.0f}", units.percent(cost / budget)
    )


VIEWS = (blind_spot, false_aborts)
