"""The default configuration over the whole range of loads on pages: goodput, latency and utilisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lab import units
from lab.capacity.analysis import Analysis, utilisation
from lab.capacity.documents import Latency, Step
from lab.site.render import html, plot
from lab.site.render.html import Markup
from lab.site.sources.context import SiteContext
from lab.site.views.capacity.limits import rate
from lab.slo.thresholds import threshold_seconds

RESOURCES = 3  # lines in the plot of utilisation
LATENCY_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


def goodput_curve(context: SiteContext) -> Markup:
    """Requests answered without an error against requests offered, with the line of no loss."""
    analysis = context.capacity.sweep
    points = [(analysis.load(step), analysis.goodput(step)) for step in analysis.curve]
    axis = _loads(analysis)
    curves = [
        plot.Curve("answered without an error", "line--0", points, dots=True),
        plot.Curve("all that was offered", "line--all", [(0.0, 0.0), (axis.high, axis.high)]),
    ]
    description = "Horizontal: requests offered per second. Vertical: requests answered without an error per second."
    drawing = plot.plot(
        "goodput", "Goodput against offered load", description, axis, plot.linear(axis.high, lambda v: f"{v:.0f}"),
        curves, instants=[_capacity(analysis)],
    )  # fmt: skip
    data = html.table(
        ("Offered", "Answered", "Lost", "In flight", "Feed p50", "Feed p99", "Cache hit ratio"),
        [
            (
                rate(offered), rate(good), units.percent(max(0.0, 1 - good / offered)), f"{step.in_flight:.1f}",
                units.seconds(step.latency["feed"].p50_seconds), units.seconds(step.latency["feed"].p99_seconds),
                units.ABSENT if step.hit_ratio is None else units.percent(step.hit_ratio),
            )
            for (offered, good), step in zip(points, analysis.curve, strict=True)
        ],
        label="The default configuration over all loads",
        numeric=True,
    )  # fmt: skip
    return plot.figure(
        "goodput-curve", "Goodput against offered load",
        f"{description} {_steps(analysis.curve)}", drawing + plot.key(curves), data=data,
    )  # fmt: skip


def latency_curve(context: SiteContext) -> Markup:
    """p50 and p99 of both routes against the offered load, with the objective of each p99."""
    analysis = context.capacity.sweep
    values = [value for step in analysis.curve for each in step.latency.values() for value in _quantiles(each)]
    low, high = min(values) / 1.2, max(values) * 1.2
    axis = plot.Axis(low, high, [(tick, units.seconds(tick)) for tick in LATENCY_TICKS if low < tick < high], log=True)
    drawings, rows = [], []
    for service in ("feed", "user"):
        limit = threshold_seconds(context.slos.slo(f"{service}-latency-p99"))
        curves = [
            plot.Curve(title, kind, [(analysis.load(step), of(step)) for step in analysis.curve], dots=True)
            for title, kind, of in _latencies(service)
        ]
        description = f"{service} requests. Horizontal: requests offered per second. Vertical, logarithmic: latency."
        drawings.append(
            (
                f"{service} requests",
                plot.plot(
                    f"latency-{service}", f"Latency of {service} requests against offered load", description,
                    _loads(analysis, parts=4), axis, curves, instants=[_capacity(analysis)],
                    levels=[] if limit is None else [plot.Level(limit, f"p99 within {units.seconds(limit)}")],
                ),
            )
        )  # fmt: skip
    for step in analysis.curve:
        cells = [units.seconds(of(step)) for service in ("feed", "user") for _, _, of in _latencies(service)]
        rows.append((rate(analysis.load(step)), *cells))
    head = ("Offered", "feed p50", "feed p99", "user p50", "user p99")
    return plot.figure(
        "latency-curve", "Latency against offered load",
        "Latency counts from the moment at which a request was scheduled, also when the generator or a queue was late."
        f" {_steps(analysis.curve)}",
        plot.panels(*drawings) + plot.key(curves), data=html.table(head, rows, label="Latency by load", numeric=True),
    )  # fmt: skip


def _latencies(service: str) -> Sequence[tuple[str, str, Callable[[Step], float]]]:
    return (
        ("p50", "line--1", lambda step: step.latency[service].p50_seconds),
        ("p99", "line--0", lambda step: step.latency[service].p99_seconds),
    )


def _quantiles(latency: Latency) -> tuple[float, float]:
    return latency.p50_seconds, latency.p99_seconds


def utilisation_curve(context: SiteContext) -> Markup:
    """How much of each resource is used against the offered load: the most used at the capacity."""
    analysis = context.capacity.sweep
    used = [(analysis.load(step), utilisation(step)) for step in analysis.curve]
    names = list(analysis.default.utilisation)
    curves = [
        plot.Curve(name, f"line--{index}", [(load, each.get(name, 0.0)) for load, each in used], dots=True)
        for index, name in enumerate(names[:RESOURCES])
    ]
    description = "Horizontal: requests offered per second. Vertical: how much of each resource is in use."
    drawing = plot.plot(
        "utilisation", "Utilisation against offered load", description, _loads(analysis),
        plot.Axis(0, 1, [(part / 4, units.percent(part / 4, 0)) for part in range(5)]), curves,
        instants=[_capacity(analysis)],
    )  # fmt: skip
    rows = [(rate(load), *(_percent(each, name) for name in names)) for load, each in used]
    return plot.figure(
        "utilisation-curve", "What fills up?",
        f"{description} Shown are the {RESOURCES} that are used most at the capacity; the others are in the data.",
        drawing + plot.key(curves),
        data=html.table(("Offered", *names), rows, label="Utilisation by load", numeric=True),
    )  # fmt: skip


def _percent(used: Mapping[str, float], name: str) -> str:
    return units.percent(used[name], 0) if name in used else units.ABSENT


def _loads(analysis: Analysis, parts: int = 6) -> plot.Axis:
    return plot.linear(max(analysis.load(step) for step in analysis.curve), lambda load: f"{load:.0f}", parts=parts)


def _capacity(analysis: Analysis) -> plot.Instant:
    return plot.Instant(analysis.default.capacity.half.value, "capacity")


def _steps(steps: Sequence[Step]) -> str:
    return f"{len(steps)} steps in random order, wall time."


VIEWS = (goodput_curve, latency_curve, utilisation_curve)
