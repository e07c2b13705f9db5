"""Detection times on pages: predicted before the fault, computed from the recorded counts, and measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lab import units
from lab.drills.evidence import burn_replay
from lab.drills.schema.record import AlertSpan, Prediction
from lab.site.render import html, svg
from lab.site.render.html import Markup
from lab.site.render.tiers import tier_words
from lab.site.sources.context import SiteContext
from lab.site.sources.records import Record

# In pixels.
HEIGHT, TOP, PLOT = 300, 12, 248
LEFT, RIGHT = 8.0, 97.0  # percent of the width
TICKS = (1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Detection:
    """One record's detection: seconds from the injection to the firing alert, and ratios of bad events.

    With `bound` the prediction is an upper bound. `tier`, `computed` and the ratios are None for an alert that is not a
    burn rate, `measured` for one that did not fire.
    """

    ident: str
    alert: str
    predicted: float
    bound: bool
    tier: str | None
    computed: float | None
    measured: float | None
    assumed: float | None
    observed: float | None


def of(record: Record) -> Detection:
    """The detection of a record that has a prediction."""
    expected, measured = record.prediction, record.data.durations.detection_seconds
    row = record.verification.rows[0]
    fired = record.first("firing")
    observed = None
    if expected.effect_seconds is not None and fired:
        alert = next(alert for alert in record.data.alerts if _same(alert, expected))
        counts = record.counts(alert.labels["sloth_id"])
        observed = burn_replay.observed_ratio(counts, expected.effect_seconds, fired.t_seconds)
    return Detection(
        record.ident,
        expected.alert,
        expected.detection_seconds,
        expected.bound,
        row.tier,
        row.computed,
        measured,
        expected.bad_ratio,
        observed,
    )


def _same(alert: AlertSpan, prediction: Prediction) -> bool:
    return (alert.name, alert.severity) == (prediction.alert, prediction.severity)


def detection_proof(context: SiteContext) -> Markup:
    """Every recorded detection as a chart and a table, with the assumed and the observed bad ratio."""
    detections = [of(record) for record in context.records if record.data.prediction]
    rows = [
        (
            Markup("{}<br>{}<br><small>{}</small>").format(
                html.link(context.href(f"records/{row.ident}.json"), row.ident),
                row.alert,
                tier_words(row.tier) if row.tier else "no burn rate",
            ),
            predicted(row),
            shown(row.computed),
            shown(row.measured),
            units.ABSENT if row.assumed is None else units.percent(row.assumed, 1),
            units.ABSENT if row.observed is None else units.percent(row.observed, 1),
        )
        for row in detections
    ]
    head = ("Record, alert, tier", "Predicted", "Computed", "Measured", "Assumed bad ratio", "Observed bad ratio")
    label = f"Detection, predicted, computed and measured, in lab time, {context.factor}x"
    return _figure(context, detections) + html.table(head, rows, label=label, numeric=True)


def predicted(detection: Detection) -> str:
    """The predicted time as text; an upper bound has a `≤`."""
    seconds = units.tenths(detection.predicted)
    return f"≤{units.NBSP}{seconds}" if detection.bound else seconds


def shown(seconds: float | None) -> str:
    """A duration as text; a dash for None."""
    return units.ABSENT if seconds is None else units.tenths(float(seconds))


def _figure(context: SiteContext, detections: Sequence[Detection]) -> Markup:
    description = (
        f"{len(detections)} recorded incidents, lab time, {context.factor}x. Horizontal: predicted before the fault."
        " Vertical: measured, and computed from the record's counts where a burn rate fires. On the diagonal both are"
        " equal; where the prediction is a bound, the measured time lies on the diagonal or below."
    )
    symbols = (
        ("dot", "measured"),
        ("dot dot--bound", "measured, where the prediction is a bound"),
        ("dot dot--computed", "computed from the counts"),
    )
    key = Markup().join(
        Markup(
            '<li><svg width="14" height="14" class="lab-chart__svg" aria-hidden="true">'
            '<circle class="{}" cx="7" cy="7" r="4.5"/></svg>{}</li>'
        ).format(kind, name)
        for kind, name in symbols
    )
    return Markup(
        '<figure class="lab-chart" id="detection-scatter"><figcaption><span class="lab-chart__title">'
        'Does the alert fire when predicted?</span>{}</figcaption>{}<ul class="lab-key">{}</ul></figure>'
    ).format(description, scatter(detections, description), key)


def scatter(detections: Sequence[Detection], description: str) -> Markup:
    """The chart of predicted against computed and measured times; both axes are logarithmic with the same range."""
    times = [
        seconds
        for row in detections
        for seconds in (row.predicted, row.computed, row.measured)
        if seconds is not None and seconds > 0
    ]
    low, high = min([*times, TICKS[0]]) / 1.15, max([*times, TICKS[3]]) * 1.15

    def part(seconds: float) -> float:
        return (math.log(max(seconds, low)) - math.log(low)) / (math.log(high) - math.log(low))

    def across(seconds: float) -> float:
        return LEFT + (RIGHT - LEFT) * part(seconds)

    def down(seconds: float) -> float:
        return TOP + PLOT * (1 - part(seconds))

    ticks = [tick for tick in TICKS if low <= tick <= high]
    parts = [
        Markup('<line class="grid" x1="{}%" x2="{}%" y1="{:.1f}" y2="{:.1f}"/>').format(LEFT, RIGHT, y, y)
        for y in map(down, ticks)
    ]
    parts += [
        Markup('<text class="tick" x="{}%" y="{:.1f}" text-anchor="end">{}</text>').format(
            LEFT - 0.8, down(tick) + 4, units.seconds(tick)
        )
        for tick in ticks
    ]
    parts += [
        Markup('<text class="tick" x="{:.2f}%" y="{}" text-anchor="middle">{}</text>').format(
            across(tick), TOP + PLOT + 17, units.seconds(tick)
        )
        for tick in ticks
    ]
    parts.append(
        Markup('<line class="objective" x1="{}%" x2="{}%" y1="{}" y2="{}"/>').format(LEFT, RIGHT, TOP + PLOT, TOP)
    )
    parts.append(
        Markup('<text class="tick" x="{}%" y="{}" text-anchor="end">predicted</text>').format(RIGHT, TOP + PLOT + 34)
    )
    for row in detections:
        for seconds, kind, name in (
            (row.computed, "dot dot--computed", "computed"),
            (row.measured, "dot dot--bound" if row.bound else "dot", "measured"),
        ):
            if seconds is not None:
                label = f"{row.ident}: predicted {predicted(row)}, {name} {units.tenths(seconds)}"
                parts.append(_dot(kind, across(row.predicted), down(seconds), label))
    return svg.drawing("detection-scatter", "Predicted and measured detection", description, HEIGHT, parts)


def _dot(kind: str, across: float, down: float, label: str) -> Markup:
    return Markup('<circle class="{}" cx="{:.2f}%" cy="{:.1f}" r="4.5"><title>{}</title></circle>').format(
        kind, across, down, label
    )


VIEWS = (detection_proof,)
