"""The models of capacity on pages, each beside what was measured: scalability, Little's law, the cache, and bursts."""

from __future__ import annotations

import math
import statistics

from lab import units
from lab.capacity.analysis import Analysis
from lab.capacity.bursts import Drain, measured, predicted
from lab.capacity.configurations import CONFIGURATIONS
from lab.capacity.documents import Burst
from lab.capacity.models import hit_ratio, usl
from lab.capacity.models.estimate import Estimate
from lab.services.cache import JITTER_RATIO
from lab.services.gateway.priority import DEFAULT_MAX_INFLIGHT
from lab.site.render import html, plot
from lab.site.render.html import Markup
from lab.site.sources.context import SiteContext
from lab.site.views.capacity.limits import rate
from lab.traffic.mix import AUDIENCE, FEED_RATIO, ZIPF_EXPONENT

BAND_POINTS = 40


def scalability(context: SiteContext) -> Markup:
    """The Universal Scalability Law fitted to the curve, with the band of its mean, the points and their residuals."""
    analysis = context.capacity.sweep
    law = analysis.scalability
    highest = min(usl.MAX_EXTRAPOLATION, 1.25) * law.largest_n
    grid = [1 + (highest - 1) * index / BAND_POINTS for index in range(BAND_POINTS + 1)]
    band = [law.predict(n) for n in grid]
    held = analysis.held_out
    curves = [
        plot.Curve("fit", "line--0", [(n, at.value) for n, at in zip(grid, band, strict=True)]),
        plot.Curve("95 % band, low", "line--0 line--late", [(n, at.low) for n, at in zip(grid, band, strict=True)]),
        plot.Curve("95 % band, high", "line--0 line--late", [(n, at.high) for n, at in zip(grid, band, strict=True)]),
        plot.Curve("measured, fitted", "line--points", law.points, dots=True),
        plot.Curve("measured at the limit, held out", "line--points",
                   [(point.in_flight, point.measured) for point in held], dots=True, dot="dot--bound"),
    ]  # fmt: skip
    top = max(at.high for at in band if math.isfinite(at.high))
    description = (
        "Horizontal: mean number of requests in flight. Vertical: requests answered without an error per second."
    )
    drawing = plot.plot(
        "scalability", "Goodput against requests in flight", description,
        plot.linear(highest, lambda n: f"{n:.0f}"), plot.linear(top, lambda x: f"{x:.0f}"), curves,
    )  # fmt: skip
    rows = [
        ("fitted", f"{n:.1f}", rate(x), rate(law.predict(n).value), _signed(-residual))
        for (n, x), residual in zip(law.points, law.residuals, strict=True)
    ] + [
        ("held out", f"{point.in_flight:.1f}", rate(point.measured), rate(point.predicted.value),
         _signed(point.relative_error))
        for point in held
    ]  # fmt: skip
    head = ("Step", "In flight", "Measured", "Predicted", "Prediction off by")
    figure = plot.figure(
        "scalability-curve", "Scalability: goodput against requests in flight", description,
        drawing + plot.key(curves), data=html.table(head, rows, label="Residuals of the fit", numeric=True),
    )  # fmt: skip
    return figure + _coefficients(law) + _held_out(analysis)


def _signed(ratio: float) -> str:
    return f"{'+' if ratio > 0 else ''}{units.percent(ratio)}".replace("-", units.MINUS)


def _coefficients(law: usl.UslFit) -> Markup:
    rows = [
        ("throughput of one request in flight (\u03b3)", rate(law.gamma.value), _rates(law.gamma)),
        ("contention (\u03b1)", f"{law.alpha.value:.4f}", _numbers(law.alpha)),
        ("crosstalk (β)", f"{law.beta.value:.6f}", _numbers(law.beta, digits=6)),
    ]
    crosstalk = (
        "Crosstalk is above 0: beyond a point, more requests in flight mean less throughput."
        if law.beta_is_distinguishable
        else "Crosstalk is not distinguishable from 0: this sweep does not show throughput falling with concurrency."
    )
    return html.table(
        ("Coefficient", "Value", "95 % interval"), rows, label="Universal Scalability Law", numeric=True
    ) + Markup("<p>{} The fit says nothing beyond {:.0f} requests in flight, twice the most measured.</p>").format(
        crosstalk, usl.MAX_EXTRAPOLATION * law.largest_n
    )


def _rates(estimate: Estimate) -> str:
    return f"{rate(estimate.low)} to {rate(estimate.high)}"


def _numbers(estimate: Estimate, digits: int = 4) -> str:
    return f"{estimate.low:.{digits}f} to {'?' if math.isinf(estimate.high) else f'{estimate.high:.{digits}f}'}"


def _held_out(analysis: Analysis) -> Markup:
    errors = [abs(point.relative_error) for point in analysis.held_out]
    if not errors:
        return Markup("<p>No step at the limit was within the reach of the fit.</p>")
    return Markup(
        "<p>The {} steps at the limit that the fit has not seen are predicted within {} (median {}).</p>"
    ).format(len(errors), units.percent(max(errors), 0), units.percent(statistics.median(errors), 0))


def little_check(context: SiteContext) -> Markup:
    """Little's law on each step of the curve: requests in flight against throughput times mean latency."""
    analysis = context.capacity.sweep
    rows = []
    for step in analysis.curve:
        check = analysis.little(step)
        rows.append(
            (
                rate(analysis.load(step)), f"{check.in_flight:.1f}", f"{check.expected:.1f}",
                _signed(check.relative_error),
                html.badge("ok", "holds") if check.holds else html.badge("warn", "off"),
            )
        )  # fmt: skip
    head = ("Offered", "In flight", "Throughput \u00d7 latency", "Difference", "Within 5 %")
    return html.table(head, rows, label="Little\u2019s law", numeric=True)


def cache_curve(context: SiteContext) -> Markup:
    """The feed cache's hit ratio by time to live: the model's curve at the capacity, and what was measured near it."""
    analysis = context.capacity.sweep
    feeds = analysis.default.capacity.half.value * FEED_RATIO
    rates = [feeds * share for share in hit_ratio.zipf(AUDIENCE, ZIPF_EXPONENT)]
    ttls = {one.name: one.feed_ttl_seconds for one in CONFIGURATIONS}
    near = [
        (ttls[name], limit.hit_ratio)
        for name, limit in analysis.limits.items()
        if name.startswith(("default", "ttl-")) and limit.hit_ratio is not None
    ]
    near.sort()
    grid = [10 * 1.15**index for index in range(32)]
    grid = [ttl for ttl in grid if ttl <= 900]
    modelled = [(ttl, _modelled_hit_ratio(rates, ttl)) for ttl in grid]
    curves = [
        plot.Curve("model", "line--0", modelled),
        plot.Curve("measured near the capacity", "line--points", near, dots=True),
    ]
    low = math.floor(min(ratio for _, ratio in [*modelled, *near]) * 20) / 20
    description = (
        "Horizontal, logarithmic: time to live of a cached feed. Vertical: hit ratio of the feed cache at"
        f" {rate(feeds)} feed requests."
    )
    drawing = plot.plot(
        "cache", "Hit ratio of the feed cache by time to live", description,
        plot.Axis(10, 900, [(ttl, units.seconds(ttl)) for ttl in (10, 30, 60, 150, 300, 600)], log=True),
        plot.Axis(low, 1, [(at, units.percent(at)) for at in (low + (1 - low) * part / 4 for part in range(5))]),
        curves,
    )  # fmt: skip
    rows = [
        (
            units.seconds(ttl), units.percent(ratio), units.percent(_modelled_hit_ratio(rates, ttl)),
            f"{hit_ratio.database_load(feeds, ratio):.1f}/s",
            f"{hit_ratio.database_load(feeds, _modelled_hit_ratio(rates, ttl)):.1f}/s",
        )
        for ttl, ratio in near
    ]  # fmt: skip
    head = ("Time to live", "Hit ratio, measured", "Hit ratio, model", "Feeds built, measured", "Feeds built, model")
    table = html.table(head, rows, label="Hit ratio by time to live", numeric=True)
    return plot.figure(
        "cache-curve", "What does the feed cache save?",
        f"{description} The database builds \u03bb (1 \u2212 h) feeds per second.",
        drawing + plot.key(curves) + table,
        data=html.table(("Time to live", "Hit ratio, model"),
                        [(units.seconds(ttl), units.percent(ratio)) for ttl, ratio in modelled],
                        label="The model\u2019s curve", numeric=True),
    )  # fmt: skip


def _modelled_hit_ratio(rates: list[float], ttl_seconds: float) -> float:
    return hit_ratio.hit_ratio(rates, hit_ratio.mean_lifetime(ttl_seconds, jitter_ratio=JITTER_RATIO))


def burst_curves(context: SiteContext) -> Markup:
    """Each measured burst: arrivals, answers and requests in flight per second, beside the model's prediction."""
    analysis = context.capacity.sweep
    drawings, rows, data = [], [], []
    for burst in analysis.sweep.bursts:
        curves, drawing = _burst_plot(burst)
        drawings.append((f"{burst.factor:g} times {rate(burst.base_per_second)}", drawing))
        rows += _burst_rows(burst, predicted(burst, analysis.most_goodput, DEFAULT_MAX_INFLIGHT), measured(burst))
        data += [
            (f"{burst.factor:g}", second, *counts)
            for second, counts in enumerate(zip(burst.arrivals, burst.good, burst.in_flight, strict=True), start=1)
        ]
    table = html.table(
        ("Burst", "Quantity", "Model", "Measured"), rows, label="Bursts, predicted and measured", numeric=True
    )
    seconds = analysis.sweep.bursts[0].seconds
    return plot.figure(
        "burst-curves", "What does a burst do?",
        f"The load is multiplied for {units.seconds(seconds)} and returns. Horizontal: seconds since its start."
        " Vertical: requests per second; in flight, requests. Wall time.",
        plot.panels(*drawings) + plot.key(curves) + table,
        data=html.table(("Factor", "Second", "Offered", "Answered", "In flight"), data, label="Bursts", numeric=True),
    )  # fmt: skip


def _burst_plot(burst: Burst) -> tuple[list[plot.Curve], Markup]:
    seconds = range(1, len(burst.arrivals) + 1)
    curves = [
        plot.Curve(title, kind, [(float(at), float(value)) for at, value in zip(seconds, values, strict=True)])
        for title, kind, values in (
            ("offered", "line--all", burst.arrivals),
            ("answered without an error", "line--0", burst.good),
            ("in flight at the end of the second", "line--2", burst.in_flight),
        )
    ]
    drawing = plot.plot(
        f"burst-{burst.factor:g}".replace(".", "-"), f"A burst of {burst.factor:g} times the load",
        "Offered, answered and in flight by second.",
        plot.linear(len(burst.arrivals), lambda at: units.seconds(at), parts=4),
        plot.linear(max(max(burst.arrivals), max(burst.in_flight)), lambda value: f"{value:.0f}"), curves,
        instants=[plot.Instant(burst.seconds, "burst ends")],
    )  # fmt: skip
    return curves, drawing


def _burst_rows(burst: Burst, model: Drain, found: Drain) -> list[tuple[object, ...]]:
    title = f"{burst.factor:g} times"
    return [
        (title, "most requests in flight", f"{model.in_flight:.0f}", f"{found.in_flight:.0f}"),
        (title, "drained after the burst", _drain(model), _drain(found)),
        (title, "refused or failed", units.number(round(model.lost)), units.number(round(found.lost))),
    ]


def _drain(found: Drain) -> str:
    return "not in this time" if found.seconds is None else units.tenths(found.seconds)


VIEWS = (scalability, little_check, cache_curve, burst_curves)
