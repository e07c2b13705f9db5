"""The capacity of each configuration on pages: limits with what they break and what is used up, and their agreement."""

from __future__ import annotations

import math

from lab import units
from lab.capacity.analysis import Analysis, Limit, agree
from lab.capacity.configurations import CONFIGURATIONS, DEFAULT
from lab.capacity.models.estimate import Estimate
from lab.errors import LabError
from lab.site.render import html, plot
from lab.site.render.html import Markup
from lab.site.sources.context import SiteContext

TITLES = {configuration.name: configuration.title for configuration in CONFIGURATIONS}
# A resource with this utilisation at the limit is named beside the bottleneck, too.
MUCH_RATIO = 0.7
UNBOUNDED = "not reached"


def capacity_table(context: SiteContext) -> Markup:
    """Each configuration: capacity, the SLO that breaks first, the bottleneck and its evidence, and the headroom."""
    analysis, peak = context.capacity.sweep, context.capacity.policy.demand.peak_per_second
    cores = analysis.sweep.header.host.cpus
    rows = [
        (
            Markup("{}<br><small>{}</small>").format(html.whole(limit.name), TITLES.get(limit.name, "")),
            _value(limit.capacity.half),
            interval(limit.capacity.half),
            limit.first_to_break or UNBOUNDED,
            html.wide(_bottleneck(limit)),
            f"{limit.cost.seconds * 1000:.1f}{units.NBSP}ms",
            rate(limit.cost.bound(cores)),
            headroom(limit.capacity.half, peak),
        )
        for limit in analysis.limits.values()
    ]
    head = (
        "Configuration", "Capacity", "95 % interval", "Breaks first", "Bottleneck at the capacity", "CPU per request",
        "CPU full at", f"Headroom at the peak of {rate(peak)}",
    )  # fmt: skip
    return html.table(head, rows, label="Capacity by configuration", numeric=True)


def rate(per_second: float) -> str:
    """Requests per second for a person: `312/s`."""
    return units.ABSENT if math.isinf(per_second) else f"{per_second:.0f}/s"


def interval(estimate: Estimate) -> str:
    """The ends of an interval in requests per second; an end that was not reached is a question mark."""
    low = "?" if estimate.low <= 0 else f"{estimate.low:.0f}"
    high = "?" if math.isinf(estimate.high) else f"{estimate.high:.0f}"
    return f"{low} to {high}"


def _value(estimate: Estimate) -> str:
    return f"above {rate(estimate.low)}" if math.isinf(estimate.high) else rate(estimate.value)


def headroom(capacity: Estimate, peak: float) -> str:
    """How much of a capacity stays free at the peak, with the capacity's low end."""
    return f"{units.percent(1 - peak / capacity.value, 0)}, at least {units.percent(1 - peak / capacity.low, 0)}"


def _bottleneck(limit: Limit) -> str:
    much = [name for name, used in limit.utilisation.items() if used >= MUCH_RATIO]
    named = much or [limit.bottleneck[0]]
    return ", ".join(f"{name} {limit.utilisation[name]:.0%}" for name in named if name)


def capacity_of(context: SiteContext, name: str = DEFAULT) -> str:
    """The capacity of a configuration with its interval: `312/s (295 to 330)`."""
    half = _limit(context.capacity.sweep, name).capacity.half
    return f"{_value(half)} ({interval(half)})"


def breaks_first(context: SiteContext, name: str = DEFAULT) -> str:
    """The id of the SLO that breaks first. Raises LabError when none did."""
    found = _limit(context.capacity.sweep, name).first_to_break
    if not found:
        raise LabError(f"docs/figures/capacity.json: no step of {name!r} failed near its capacity")
    return found


def bottleneck(context: SiteContext, name: str = DEFAULT) -> str:
    """The most used resource at the capacity: `machine CPU, 93 % in use`."""
    resource, used = _limit(context.capacity.sweep, name).bottleneck
    return f"{resource}, {units.percent(used, 0)} in use"


def _limit(analysis: Analysis, name: str) -> Limit:
    if name not in analysis.limits:
        raise LabError(f"no configuration {name!r} was measured; there are {', '.join(analysis.limits)}")
    return analysis.limits[name]


def moved(context: SiteContext, name: str) -> str:
    """The capacity of a configuration against the default's: `1.21 times the default's, which is a change`."""
    default, other = (_limit(context.capacity.sweep, each).capacity.half for each in (DEFAULT, name))
    verdict = "no more than the noise" if agree(default, other) else "beyond the noise"
    return f"{other.value / default.value:.2f} times the default\u2019s, {verdict}"


def sensitivity(context: SiteContext) -> Markup:
    """One change at a time: the capacity of each configuration with its interval, as a picture."""
    limits = context.capacity.sweep.limits
    ends = [end for limit in limits.values() for end in _finite(limit.capacity.half)]
    rows = [
        plot.Row(f"{limit.name}: {TITLES.get(limit.name, '')}", half.value, half.low, half.high)
        for limit in limits.values()
        for half in [limit.capacity.half]
    ]
    description = (
        "Horizontal: requests per second. A dot is a configuration\u2019s capacity, its line the 95 % interval."
    )
    drawing = plot.intervals(
        "capacity-sensitivity", "Capacity, one change at a time", description,
        plot.linear(max(ends), lambda value: f"{value:.0f}"), rows,
    )  # fmt: skip
    data = html.table(
        ("Configuration", "Capacity", "95 % interval", "Against the default"),
        [
            (name, rate(limit.capacity.half.value), interval(limit.capacity.half), moved(context, name))
            for name, limit in limits.items()
        ],
        label="Capacity, one change at a time",
    )
    return plot.figure(
        "capacity-sensitivity", "Which change moves the capacity?",
        f"{description} Where the lines of two configurations overlap, the sweep does not tell them apart.",
        drawing, data=data,
    )  # fmt: skip


def _finite(estimate: Estimate) -> list[float]:
    return [end for end in (estimate.low, estimate.value, estimate.high) if math.isfinite(end)]


def agreement(context: SiteContext) -> Markup:
    """Both sweeps, on two starts of the lab: each configuration's capacity, and whether the intervals overlap."""
    first, second = context.capacity.both
    rows = [
        (
            name, rate(one.value), interval(one), rate(other.value), interval(other),
            html.badge("ok", "agree") if agree(one, other) else html.badge("bad", "differ"),
        )
        for name in first.limits
        for one, other in [tuple(_limit(each, name).capacity.half for each in (first, second))]
    ]  # fmt: skip
    head = ("Configuration", "First sweep", "95 % interval", "Second sweep", "95 % interval", "Intervals")
    return html.table(head, rows, label="Two sweeps on different starts of the lab", numeric=True)


def sweep_facts(context: SiteContext) -> Markup:
    """When, where and with how many steps both sweeps were measured, and how much the machine's speed wandered."""
    rows = []
    for title, analysis in zip(("First", "Second"), context.capacity.both, strict=True):
        header, steps = analysis.sweep.header, analysis.sweep.steps
        speeds = [step.speed for step in analysis.sweep.counted]
        rows.append(
            (
                title, units.minute(header.started_at), f"{header.host.cpus} cores, {header.host.cpu_model}",
                f"Python {header.host.python}, Prometheus {header.host.prometheus}", header.seed, len(steps),
                len(steps) - len(analysis.sweep.counted),
                f"{min(speeds) / 1e6:.1f} to {max(speeds) / 1e6:.1f} million loops/s",
            )
        )  # fmt: skip
    head = ("Sweep", "Started", "Machine", "Versions", "Seed", "Steps", "Not counted", "Speed of a core")
    return html.table(head, rows, label="The sweeps")


VIEWS = (capacity_table, capacity_of, breaks_first, bottleneck, moved, sensitivity, agreement, sweep_facts)
