"""Charts as SVG without scripts.

Text is placed in percent across and in pixels down, lines in an inner box that is stretched: a chart fills any width
and its text keeps its size on a phone. Colours are CSS classes, so they follow the page's colour scheme.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from lab import units
from lab.site.render import timeseries
from lab.site.render.timeseries import Line, Mark

HEIGHT = 264
TOP = 44  # space for the labels of the marks
PLOT = 188
LABEL_GAP_PERCENT = 5.2
BOX = 1000  # the inner box, stretched over the plot
NARROWEST = 290  # pixels of a plot on a phone, where a label covers the largest share of it
LETTER = 7.2  # pixels, the mean width of a letter of a label
TICK_BASELINE = 13  # pixels below the gridline


# Smaller samples count as 0; a chart that holds no larger one has an axis from 0 to 1.
SMALLEST = 1e-12


@dataclass(frozen=True)
class Frame:
    """The ranges of both axes: seconds from injection across, 0 to `top` in the chart's unit down."""

    start: float
    end: float
    top: float

    def across(self, at_seconds: float) -> float:
        """The position of an instant in percent of the width."""
        return (at_seconds - self.start) / (self.end - self.start) * 100

    def down(self, value: float) -> float:
        """The position of a value in units of the inner box, 0 at the top."""
        return (1 - value / self.top) * BOX

    def pixel(self, value: float) -> float:
        """The position of a value in pixels from the top of the drawing."""
        return TOP + self.down(value) / BOX * PLOT


def frame(lines: Sequence[Line], objective: float | None) -> Frame:
    """Axes that hold every sample and the objective, with some space above."""
    times = [at for line in lines for at, _ in line.points]
    values = [value for line in lines for _, value in line.known if math.isfinite(value)]
    highest = max([*values, objective or 0.0], default=1.0) * 1.08
    if highest < SMALLEST:
        highest = 1.0
    step = timeseries.nice_step(highest, 4)
    top = math.ceil(highest / step - 1e-9) * step
    if lines and lines[0].unit == "ratio":
        top = min(top, 1.0) if highest <= 1.081 else top
    return Frame(min(times, default=0.0), max([*times, min(times, default=0.0) + 1]), top)


def chart(
    ident: str,
    title: str,
    description: str,
    lines: Sequence[Line],
    *,
    objective: float | None = None,
    marks: Sequence[Mark] = (),
    bands: Sequence[tuple[float, float]] = (),
) -> Markup:
    """The chart as one `svg` element; all lines share the unit of the first.

    `bands` are the (start, end) spans, in seconds from injection, in which the alert was firing.
    """
    axes = frame(lines, objective)
    unit = lines[0].unit if lines else ""
    inner = [_band(axes, *band) for band in bands]
    inner += [_path(axes, line, index) for index, line in enumerate(lines)]
    plot = Markup(
        '<svg y="{}" width="100%" height="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">{}</svg>'
    ).format(TOP, PLOT, BOX, BOX, Markup().join(inner))
    over = [
        _objective(axes, objective, unit, lines, marks), *_ticks(axes, unit, objective), *_marks(ident, axes, marks)
    ]  # fmt: skip
    return drawing(ident, title, description, HEIGHT, [*_grid(axes), plot, *over])


def drawing(ident: str, title: str, description: str, height: int, parts: Sequence[Markup]) -> Markup:
    """One `svg` element of `parts`, the lowest first, with an accessible name and description."""
    return Markup(
        '<svg class="lab-chart__svg" role="img" aria-labelledby="{0}-title {0}-desc" width="100%" height="{1}">'
        '<title id="{0}-title">{2}</title><desc id="{0}-desc">{3}</desc>{4}</svg>'
    ).format(ident, height, title, description, Markup().join(parts))


def bar(value: float, bound: float, top: float) -> Markup:
    """A horizontal bar of `value` on a scale from 0 to `top`, with a line at `bound`. It repeats the number beside it.

    A value above the bound has another colour.
    """
    over = " lab-bar--over" if value > bound else ""
    return Markup(
        '<svg class="lab-bar{0}" aria-hidden="true" width="100%" height="10">'
        '<rect class="track" width="100%" height="10"/><rect width="{1:.2f}%" height="10"/>'
        '<line x1="{2:.2f}%" x2="{2:.2f}%" y1="0" y2="10"/></svg>'
    ).format(over, value / top * 100, bound / top * 100)


def _levels(axes: Frame) -> list[float]:
    step = timeseries.nice_step(axes.top, 4)
    return [index * step for index in range(round(axes.top / step) + 1)]


def _grid(axes: Frame) -> list[Markup]:
    line = Markup('<line class="grid" x1="0" x2="100%" y1="{0:.1f}" y2="{0:.1f}"/>')
    return [line.format(axes.pixel(value)) for value in _levels(axes)]


def _ticks(axes: Frame, unit: str, objective: float | None) -> list[Markup]:
    """The labels of both axes. A unit that is a word is shown at the highest value only.

    A label stands below its gridline, or above it where the line of the objective would strike it through.
    """
    parts = []
    above = _levels(axes)[1:]
    for value in above:
        label = units.quantity(value, units.exact(unit))
        short = label if value == above[-1] else label.removesuffix(f"{units.NBSP}{unit}")
        below = math.inf if objective is None else axes.pixel(objective) - axes.pixel(value)
        baseline = axes.pixel(value) + (-4 if 1 < below < TICK_BASELINE + 4 else TICK_BASELINE)
        parts.append(Markup('<text class="tick" x="2" y="{:.1f}">{}</text>').format(baseline, short))
    tick = timeseries.time_step(axes.end - axes.start, 7)
    first = math.ceil(axes.start / tick) * tick
    at = first
    while at <= axes.end + 1e-9:
        across = axes.across(at)
        anchor = "start" if across < 3 else "end" if across > 95 else "middle"
        label = "0 s" if abs(at) < 1e-9 else f"{'+' if at > 0 else units.MINUS}{units.seconds(abs(at))}"
        parts.append(
            Markup('<text class="tick{}" x="{:.2f}%" y="{}" text-anchor="{}">{}</text>').format(
                " tick--between" if round(at / tick) % 2 else "", across, TOP + PLOT + 17, anchor, label
            )
        )
        at += tick
    return parts


def _path(axes: Frame, line: Line, index: int) -> Markup:
    drawn = []
    for run in timeseries.runs(line.points):
        corners = " ".join(f"{axes.across(at) * BOX / 100:.1f},{axes.down(value):.1f}" for at, value in run)
        drawn.append(Markup('<polyline class="line line--{}" points="{}"/>').format(index, corners))
    return Markup().join(drawn)


def _band(axes: Frame, start: float, end: float) -> Markup:
    left = max(axes.across(start), 0) * BOX / 100
    right = min(axes.across(end), 100) * BOX / 100
    return Markup('<rect class="band" x="{:.1f}" y="0" width="{:.1f}" height="{}"/>').format(
        left, max(right - left, 0), BOX
    )


def _objective(axes: Frame, objective: float | None, unit: str, lines: Sequence[Line], marks: Sequence[Mark]) -> Markup:
    if objective is None:
        return Markup()
    label = f"{limit_word(unit)} {units.quantity(objective, units.exact(unit))}"
    right, baseline = _free_place(axes, objective, label, lines, marks)
    return Markup(
        '<line class="objective" x1="0" x2="100%" y1="{0:.1f}" y2="{0:.1f}"/>'
        '<text class="objective-label" x="{1:.1f}%" y="{2:.1f}" text-anchor="end">{3}</text>'
    ).format(axes.pixel(objective), right, baseline, label)


def _free_place(
    axes: Frame, objective: float, label: str, lines: Sequence[Line], marks: Sequence[Mark]
) -> tuple[float, float]:
    """(right end in percent, baseline in pixels) of the objective's label: where it covers the fewest samples.

    Of equal places it takes the one with the fewest marks, then the rightmost, then the one above the line.
    """
    y = axes.pixel(objective)
    width = len(label) * LETTER / NARROWEST * 100
    baselines = [y - 5, y + 15] if y + 18 < TOP + PLOT else [y - 5]
    marked = [axes.across(mark.at_seconds) for mark in marks]
    segments = [
        (axes.across(a), axes.across(b), *sorted((axes.pixel(low), axes.pixel(high))))
        for line in lines
        for run in timeseries.runs(line.points)
        for (a, low), (b, high) in itertools.pairwise(run)
    ]

    def covered(place: tuple[float, float]) -> tuple[int, int]:
        right, baseline = place
        left, top, bottom = right - width, baseline - 12, baseline + 4
        samples = sum(a < right and b > left and high < bottom and low > top for a, b, high, low in segments)
        return samples, sum(left < at < right for at in marked)

    # The labels of the value axis are at the left edge.
    rights = [99.5, *range(98, math.ceil(width + 18), -2)]
    return min(itertools.product(rights, baselines), key=covered)


def limit_word(unit: str) -> str:
    """The name of the dashed line: a burn rate has a threshold, every other signal an objective."""
    return "threshold" if unit == units.BURN_RATE else "objective"


def _marks(ident: str, axes: Frame, marks: Sequence[Mark]) -> list[Markup]:
    shown = sorted((mark for mark in marks if axes.start <= mark.at_seconds <= axes.end), key=lambda m: m.at_seconds)
    exact = [axes.across(mark.at_seconds) for mark in shown]
    places = timeseries.spread(exact, LABEL_GAP_PERCENT, 2.5, 97.5)
    return [
        Markup(
            '<g id="{ident}-{anchor}" class="{kind}"><line x1="{x:.2f}%" x2="{x:.2f}%" y1="{top}" y2="{bottom}"/>'
            '<line x1="{place:.2f}%" x2="{x:.2f}%" y1="20" y2="{top}"/>'
            '<text class="mark-label" x="{place:.2f}%" y="15" text-anchor="middle">{label}</text>'
            "<title>{label} {title}</title></g>"
        ).format(
            ident=ident, anchor=mark.label.lower(), x=x, place=place, top=TOP, bottom=TOP + PLOT,
            label=mark.label, title=mark.title, kind="mark mark--change" if mark.is_change else "mark",
        )
        for mark, x, place in zip(shown, exact, places, strict=True)
    ]  # fmt: skip
