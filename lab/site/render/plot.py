"""Plots of one quantity against another, as SVG without scripts; `svg` has the charts of signals over time.

As there, text keeps its size and lines are stretched to the width. An axis may be logarithmic, and may have a row at
its end for values that are never reached.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.site.render import html, svg, timeseries
from lab.site.render.html import Markup

TOP = 8  # pixels
LEFT = 12.0  # percent of the width, for the labels of the vertical axis
WIDTH = 100 - LEFT - 5
BOX = 1000  # the inner box, stretched over the plot
NEVER_PART = 0.86  # of an axis with a row for `never`, the part below that row
NEVER_STEP = 0.028  # between the lines of that row, so that none hides another


@dataclass(frozen=True)
class Axis:
    """One axis from `low` to `high`. `ticks`: (value, label). With `never`, infinite values have a row of that name."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    log: bool = False
    never: str = ""

    def part(self, value: float, row: int = 0) -> float:
        """The position of a value, 0 to 1; values outside are at the axis's ends. `row` is that of infinite ones."""
        if math.isinf(value):
            return 1 - row * NEVER_STEP
        low, high, value = (math.log(x) if self.log else x for x in (self.low, self.high, self._inside(value)))
        return (value - low) / (high - low) * (NEVER_PART if self.never else 1)

    def _inside(self, value: float) -> float:
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Curve:
    """A line through points (x, y) in order. `kind`: its CSS classes; `dots` draws the points themselves, too.

    `dot`: further CSS classes of the dots.
    """

    title: str
    kind: str
    points: Sequence[tuple[float, float]]
    dots: bool = False
    dot: str = ""

    @property
    def dot_kind(self) -> str:
        """The CSS classes of its dots."""
        return f"dot {self.dot}".rstrip()


@dataclass(frozen=True)
class Level:
    """A labelled line across the plot, such as a threshold."""

    value: float
    label: str


@dataclass(frozen=True)
class Instant:
    """A labelled line down the plot."""

    at: float
    label: str


def plot(
    ident: str,
    title: str,
    description: str,
    x: Axis,
    y: Axis,
    curves: Sequence[Curve],
    *,
    levels: Sequence[Level] = (),
    instants: Sequence[Instant] = (),
    height: int = 240,
) -> Markup:
    """The plot as one `svg` element of `height` pixels, with an accessible name and description."""
    frame = _Frame(x, y, height)
    inner = Markup().join(_line(frame, curve, row) for row, curve in enumerate(curves))
    stretched = Markup(
        '<svg x="{}%" y="{}" width="{}%" height="{}" viewBox="0 0 {box} {box}" preserveAspectRatio="none"'
        ' overflow="visible">{}</svg>'
    ).format(LEFT, TOP, WIDTH, frame.tall, inner, box=BOX)
    parts = [*_axes(frame), *(_level(frame, level) for level in levels), *(_instant(frame, i) for i in instants)]
    dots = [_dots(frame, curve, row) for row, curve in enumerate(curves) if curve.dots]
    return svg.drawing(ident, title, description, height, [*parts, stretched, *dots])


def linear(high: float, shown: Callable[[float], str], *, low: float = 0.0, parts: int = 5) -> Axis:
    """A linear axis from `low` to at least `high`, with about `parts` ticks at round values."""
    step = timeseries.nice_step(high - low, parts)
    first = math.ceil(low / step - 1e-9)
    last = math.ceil(high / step - 1e-9)
    return Axis(low, last * step, [(tick * step, shown(tick * step)) for tick in range(first, last + 1)])


def figure(ident: str, title: str, caption: object, body: object, *, data: Markup) -> Markup:
    """A plot or several with title and caption, and the table of its data folded away below."""
    return Markup(
        '<figure class="lab-chart" id="{}"><figcaption><span class="lab-chart__title">{}</span>{}</figcaption>{}{}'
        "</figure>"
    ).format(ident, title, caption, body, html.details("Data table", data))


def panels(*each: tuple[str, Markup]) -> Markup:
    """Plots side by side where there is room, each below its title."""
    return Markup('<div class="lab-panels">{}</div>').format(
        Markup().join(Markup("<div><strong>{}</strong>{}</div>").format(title, drawing) for title, drawing in each)
    )


def key(curves: Sequence[Curve], levels: Sequence[str] = ()) -> Markup:
    """The key of a plot: each curve by its line, each kind of level by a dashed one."""
    sample = '<li><svg width="26" height="10" class="lab-chart__svg" aria-hidden="true">{}</svg>{}</li>'
    dot = '<circle class="{}" cx="13" cy="5" r="3.5"/>'
    lines = [
        Markup(sample).format(
            Markup('<polyline class="line {}" points="0,5 26,5"/>').format(curve.kind)
            + (Markup(dot).format(curve.dot_kind) if curve.dots else Markup()),
            curve.title,
        )
        for curve in curves
    ]
    lines += [
        Markup(sample).format(Markup('<line class="objective" x1="0" x2="26" y1="5" y2="5"/>'), level)
        for level in levels
    ]
    return Markup('<ul class="lab-key">{}</ul>').format(Markup().join(lines))


@dataclass(frozen=True)
class _Frame:
    x: Axis
    y: Axis
    height: int

    @property
    def tall(self) -> int:
        return self.height - TOP - 26

    def across(self, value: float) -> float:
        """Percent of the drawing's width."""
        return LEFT + WIDTH * self.x.part(value)

    def down(self, value: float, row: int = 0) -> float:
        """Pixels from the top of the drawing."""
        return TOP + self.tall * (1 - self.y.part(value, row))


def _axes(frame: _Frame) -> list[Markup]:
    ticks = [*frame.y.ticks, *([(math.inf, frame.y.never)] if frame.y.never else [])]
    parts = []
    for value, label in ticks:
        y = frame.down(value)
        parts.append(Markup('<line class="grid" x1="{}%" x2="{}%" y1="{:.1f}" y2="{:.1f}"/>').format(
            LEFT, LEFT + WIDTH, y, y))  # fmt: skip
        parts.append(Markup('<text class="tick" x="{}%" y="{:.1f}" text-anchor="end">{}</text>').format(
            LEFT - 1.2, y + 4, label))  # fmt: skip
    bottom = TOP + frame.tall
    for value, label in frame.x.ticks:
        x = frame.across(value)
        parts.append(Markup('<line class="grid" x1="{0:.2f}%" x2="{0:.2f}%" y1="{1}" y2="{2}"/>').format(
            x, TOP, bottom))  # fmt: skip
        parts.append(Markup('<text class="tick" x="{:.2f}%" y="{}" text-anchor="middle">{}</text>').format(
            x, bottom + 18, label))  # fmt: skip
    return parts


def _line(frame: _Frame, curve: Curve, row: int) -> Markup:
    """The curve, cut where it becomes infinite."""
    runs: list[list[tuple[float, float]]] = []
    for point in curve.points:
        if not runs or math.isinf(runs[-1][-1][1]) != math.isinf(point[1]):
            runs.append([])
        runs[-1].append(point)
    drawn = []
    for run in runs:
        corners = " ".join(
            f"{frame.x.part(at) * BOX:.1f},{(1 - frame.y.part(value, row)) * BOX:.1f}" for at, value in run
        )
        drawn.append(Markup('<polyline class="line {}" points="{}"/>').format(curve.kind, corners))
    return Markup().join(drawn)


def _dots(frame: _Frame, curve: Curve, row: int) -> Markup:
    return Markup().join(
        Markup('<circle class="{}" cx="{:.2f}%" cy="{:.1f}" r="3.5"/>').format(
            curve.dot_kind, frame.across(at), frame.down(value, row)
        )
        for at, value in curve.points
    )


def _level(frame: _Frame, level: Level) -> Markup:
    y = frame.down(level.value)
    return Markup(
        '<line class="objective" x1="{0}%" x2="{1}%" y1="{2:.1f}" y2="{2:.1f}"/>'
        '<text class="objective-label" x="{3}%" y="{4:.1f}">{5}</text>'
    ).format(LEFT, LEFT + WIDTH, y, LEFT + 1, y - 5, level.label)


def _instant(frame: _Frame, instant: Instant) -> Markup:
    x = frame.across(instant.at)
    return Markup(
        '<g class="mark"><line x1="{0:.2f}%" x2="{0:.2f}%" y1="{1}" y2="{2}"/>'
        '<text class="mark-label" x="{0:.2f}%" dx="-5" y="{3}" text-anchor="end">{4}</text></g>'
    ).format(x, TOP, TOP + frame.tall, TOP + 12, instant.label)


@dataclass(frozen=True)
class Row:
    """One figure with the ends of its interval, below its label."""

    label: str
    value: float
    low: float
    high: float


ROW_PIXELS = 40


def intervals(ident: str, title: str, description: str, x: Axis, rows: Sequence[Row]) -> Markup:
    """Each figure as a dot on the line of its interval, one below the other; values outside are at the axis's ends."""
    height = TOP + ROW_PIXELS * len(rows) + 26
    frame = _Frame(x, Axis(0, 1, ()), height)
    parts = _axes(frame)
    for index, row in enumerate(rows):
        y = TOP + ROW_PIXELS * index + 28
        low, at, high = (frame.across(value) for value in (row.low, row.value, row.high))
        parts.append(
            Markup(
                '<text class="row-label" x="{0}%" y="{1}">{2}</text>'
                '<line class="line line--0" x1="{3:.2f}%" x2="{4:.2f}%" y1="{5}" y2="{5}"/>'
                '<circle class="dot" cx="{6:.2f}%" cy="{5}" r="4"/>'
            ).format(LEFT, y - 12, row.label, low, high, y, at)
        )
    return svg.drawing(ident, title, description, height, parts)
