"""Charts as SVG without scripts.

Text is placed in percent across and in pixels down, lines in an inner box that is stretched: a chart fills any width
and its text keeps its size on a phone. Colours are CSS classes, so they follow the page's colour scheme.
"""

from __future__ import annotations

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
    over = [_objective(axes, objective, unit), *_ticks(axes, unit), *_marks(ident, axes, marks)]
    return drawing(ident, title, description, HEIGHT, [*_grid(axes), plot, *over])


def drawing(ident: str, title: str, description: str, height: int, parts: Sequence[Markup]) -> Markup:
    """One `svg` element of `parts`, the lowest first, with an accessible name and description."""
    return Markup(
        '<svg class="lab-chart__svg" role="img" aria-labelledby="{0}-title {0}-desc" width="100%" height="{1}">'
        '<title id="{0}-title">{2}</title><desc id="{0}-desc">{3}</desc>{4}</svg>'
    ).format(ident, height, title, description, Markup().join(parts))


def _levels(axes: Frame) -> list[float]:
    step = timeseries.nice_step(axes.top, 4)
    return [index * step for index in range(round(axes.top / step) + 1)]


def _grid(axes: Frame) -> list[Markup]:
    line = Markup('<line class="grid" x1="0" x2="100%" y1="{0:.1f}" y2="{0:.1f}"/>')
    return [line.format(axes.pixel(value)) for value in _levels(axes)]


def _ticks(axes: Frame, unit: str) -> list[Markup]:
    """The labels of both axes. A unit that is a word is shown at the highest value only."""
    parts = []
    above = _levels(axes)[1:]
    for value in above:
        label = units.quantity(value, units.exact(unit))
        short = label if value == above[-1] else label.removesuffix(f"{units.NBSP}{unit}")
        parts.append(Markup('<text class="tick" x="2" y="{:.1f}">{}</text>').format(axes.pixel(value) + 13, short))
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


def _objective(axes: Frame, objective: float | None, unit: str) -> Markup:
    if objective is None:
        return Markup()
    y = axes.pixel(objective)
    return Markup(
        '<line class="objective" x1="0" x2="100%" y1="{0:.1f}" y2="{0:.1f}"/>'
        '<text class="objective-label" x="99.5%" y="{1:.1f}" text-anchor="end">{2} {3}</text>'
    ).format(y, y - 5, limit_word(unit), units.quantity(objective, units.exact(unit)))


def limit_word(unit: str) -> str:
    """The name of the dashed line: a burn rate has a threshold, every other signal an objective."""
    return "threshold" if unit == units.BURN_RATE else "objective"


def _marks(ident: str, axes: Frame, marks: Sequence[Mark]) -> list[Markup]:
    shown = sorted((mark for mark in marks if axes.start <= mark.at_seconds <= axes.end), key=lambda m: m.at_seconds)
    exact = [axes.across(mark.at_seconds) for mark in shown]
    places = timeseries.spread(exact, LABEL_GAP_PERCENT, 2.5, 97.5)
    return [
        Markup(
            '<g id="{ident}-{anchor}" class="mark"><line x1="{x:.2f}%" x2="{x:.2f}%" y1="{top}" y2="{bottom}"/>'
            '<line x1="{place:.2f}%" x2="{x:.2f}%" y1="20" y2="{top}"/>'
            '<text class="mark-label" x="{place:.2f}%" y="15" text-anchor="middle">{label}</text>'
            "<title>{label} {title}</title></g>"
        ).format(
            ident=ident, anchor=mark.label.lower(), x=x, place=place, top=TOP, bottom=TOP + PLOT,
            label=mark.label, title=mark.title,
        )
        for mark, x, place in zip(shown, exact, places, strict=True)
    ]  # fmt: skip
