"""Detection on a page: predicted before the fault, computed from the counts, measured; a table and a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lab import units
from lab.drills.evidence import burn_replay
from lab.site.render import html, svg
from lab.site.render.html import Markup
from lab.site.sources.context import Book
from lab.site.sources.records import Record

# Computed and measured stand at the same place of the picture's first axis, each with its own sign.
HEIGHT, TOP, PLOT = 300, 12, 248
LEFT, RIGHT = 8.0, 97.0  # percent of the width
TICKS = (1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Detection:
    """One record's figures, in seconds from the injection to the firing alert; ratios of bad events."""

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
    """The figures of a record that has a prediction."""
    expected, measured = record["prediction"], record["durations"]["detection_seconds"]
    row = record.verification.rows[0]
    fired = record.first("firing")
    observed = None
    if expected["tier"] and fired:
        alert = next(one for one in record["alerts"] if _same(one, expected))
        counts = record.counts(alert["labels"]["sloth_id"])
        observed = burn_replay.observed_ratio(counts, expected["effect_seconds"], float(fired["t_seconds"]))
    return Detection(
        record.ident,
        expected["alert"],
        float(expected["detection_seconds"]),
        bool(expected["bound"]),
        row.tier,
        row.computed,
        measured,
        expected["bad_ratio"],
        observed,
    )


def _same(alert: dict[str, object], prediction: dict[str, object]) -> bool:
    return (alert["name"], alert["severity"]) == (prediction["alert"], prediction["severity"])


def detection_proof(book: Book) -> Markup:
    """Every recorded detection: predicted, computed, measured, with the bad ratio assumed and observed; and drawn."""
    found = [of(record) for record in book.records if record["prediction"]]
    rows = [
        (
            html.link(book.href(f"records/{one.ident}.json"), one.ident),
            Markup("{}<br><small>{}</small>").format(
                html.link(book.runbook(one.alert), one.alert), one.tier or "no burn rate"
            ),
            predicted(one),
            shown(one.computed),
            shown(one.measured),
            units.ABSENT if one.assumed is None else units.percent(one.assumed, 1),
            units.ABSENT if one.observed is None else units.percent(one.observed, 1),
        )
        for one in found
    ]
    head = ("Record", "Alert, tier", "Predicted", "Computed", "Measured", "Bad, assumed", "Observed")
    label = f"Detection, predicted, computed and measured, in lab time, {book.factor}x"
    return _figure(book, found) + html.table(head, rows, label=label, numeric=True)


def predicted(one: Detection) -> str:
    """A prediction for a cell; a bound is called one."""
    return f"no later than {units.seconds(one.predicted)}" if one.bound else units.seconds(one.predicted)


def shown(seconds: float | None) -> str:
    """A duration for a cell."""
    return units.ABSENT if seconds is None else units.seconds(float(seconds))


def _figure(book: Book, found: Sequence[Detection]) -> Markup:
    words = (
        f"{len(found)} recorded incidents, lab time, {book.factor}x. Across: predicted before the fault. Up: measured,"
        " and computed from the record's counts where a burn rate fires. On the line both are the same; where the"
        " prediction is a bound, measured lies on it or below."
    )
    signs = (
        ("dot", "measured"),
        ("dot dot--bound", "measured, where the prediction is a bound"),
        ("dot dot--computed", "computed from the counts"),
    )
    key = Markup().join(
        Markup(
            '<li><svg width="14" height="14" class="lab-chart__svg" aria-hidden="true">'
            '<circle class="{}" cx="7" cy="7" r="4.5"/></svg>{}</li>'
        ).format(kind, name)
        for kind, name in signs
    )
    return Markup(
        '<figure class="lab-chart" id="detection-scatter"><figcaption><span class="lab-chart__title">'
        'Does the alert fire when it was predicted?</span>{}</figcaption>{}<ul class="lab-key">{}</ul></figure>'
    ).format(words, scatter(found, words), key)


def scatter(found: Sequence[Detection], description: str) -> Markup:
    """The drawing alone, both axes from the same least to the same greatest time, by powers."""
    times = [at for one in found for at in (one.predicted, one.computed, one.measured) if at is not None and at > 0]
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
    for one in found:
        for at, kind, name in (
            (one.computed, "dot dot--computed", "computed"),
            (one.measured, "dot dot--bound" if one.bound else "dot", "measured"),
        ):
            if at is not None:
                says = f"{one.ident}: predicted {predicted(one)}, {name} {units.seconds(at)}"
                parts.append(_dot(kind, across(one.predicted), down(at), says))
    return svg.drawing("detection-scatter", "Predicted and measured detection", description, HEIGHT, parts)


def _dot(kind: str, across: float, down: float, says: str) -> Markup:
    return Markup('<circle class="{}" cx="{:.2f}%" cy="{:.1f}" r="4.5"><title>{}</title></circle>').format(
        kind, across, down, says
    )


VIEWS = (detection_proof,)
