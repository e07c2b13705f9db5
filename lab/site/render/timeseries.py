"""Recorded series as text, and the steps and label positions of chart axes. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from lab import units
from lab.errors import LabError


@dataclass(frozen=True)
class Line:
    """One series at a fixed step. `start_seconds` counts from the injection; None is a missing sample."""

    title: str
    unit: str
    start_seconds: float
    step_seconds: float
    values: tuple[float | None, ...]

    @property
    def points(self) -> list[tuple[float, float | None]]:
        """(seconds from injection, value) of every sample."""
        return [(self.start_seconds + self.step_seconds * index, value) for index, value in enumerate(self.values)]

    @property
    def known(self) -> list[tuple[float, float]]:
        """(seconds from injection, value) of every sample that is not missing."""
        return [(at, value) for at, value in self.points if value is not None]


@dataclass(frozen=True)
class Mark:
    """A labelled instant: `T2`, its meaning, and its time in seconds from injection; `C1` is a change."""

    label: str
    title: str
    at_seconds: float
    is_change: bool = False


def wrong_side_is_above(line: Line, objective: float | None) -> bool:
    """Whether high values are bad, judged by the side of the objective on which the signal was before the injection.

    High values are always bad for a burn rate and for a signal without a sample before the injection.
    """
    before = usual(line)
    return objective is None or before is None or line.unit == units.BURN_RATE or before <= objective


def usual(line: Line) -> float | None:
    """The median before the injection; None without a sample there, as for a canary that had no traffic yet."""
    values = [value for at, value in line.known if at < 0]
    return median(values) if values else None


def extremes(line: Line, objective: float | None) -> tuple[float | None, float, float]:
    """(usual, worst since the injection, last) in the line's unit. Raises LabError for a series without a sample."""
    if not line.known:
        raise LabError(f"signal {line.title!r} holds no sample")
    return usual(line), _worst(line, objective)[1], line.known[-1][1]


def _worst(line: Line, objective: float | None) -> tuple[float, float]:
    pick = max if wrong_side_is_above(line, objective) else min
    after = [sample for sample in line.known if sample[0] >= 0] or line.known
    return pick(after, key=lambda sample: sample[1])


def summary(line: Line, objective: float | None) -> str:
    """One sentence: the value before the fault, at its worst and at the end, and the time on the objective's bad side.

    Without an objective it gives the highest value instead of the worst.
    """
    if not line.known:
        return f"{line.title}: no sample was recorded."
    if len({value for _, value in line.known}) == 1:
        return f"{line.title}: {units.quantity(line.known[0][1], line.unit)} throughout."
    worst_at, worst = _worst(line, objective)
    extreme = "highest" if objective is None else "worst"
    text = (
        f"{line.title}: {before(line)} before the fault, "
        f"{units.quantity(worst, line.unit)} at its {extreme} (T+{units.seconds(max(worst_at, 0))}), "
        f"{units.quantity(line.known[-1][1], line.unit)} at the end"
    )
    if objective is not None:
        above = wrong_side_is_above(line, objective)
        bad = sum((value > objective) if above else (value < objective) for _, value in line.known)
        wrong = units.seconds(bad * line.step_seconds)
        text += f"; {wrong} {'above' if above else 'below'} {units.quantity(objective, units.exact(line.unit))}"
    return text + "."


def before(line: Line) -> str:
    """The usual value before the fault as text; `no data` without one."""
    value = usual(line)
    return "no data" if value is None else units.quantity(value, line.unit)


def nice_step(span: float, parts: int) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that cuts `span` into at most `parts`."""
    raw = span / parts
    power: float = 10 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * (1 - 1e-9))


def time_step(span_seconds: float, parts: int) -> float:
    """The smallest usual time step, in seconds, that cuts the span into at most `parts`."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
    return next((step for step in steps if span_seconds / step <= parts), 3600 * math.ceil(span_seconds / parts / 3600))


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions of labels as near as possible to `wanted` (ascending), at least `gap` apart.

    They stay between `low` and `high` while they fit. Labels that would overlap are placed side by side, centred on the
    mean of their wanted positions.
    """
    clusters: list[list[float]] = []
    for position in wanted:
        clusters.append([position])
        while len(clusters) > 1 and _right(clusters[-2], gap, low, high) + gap > _left(clusters[-1], gap, low, high):
            last = clusters.pop()
            clusters[-1] += last
    return [_left(cluster, gap, low, high) + gap * index for cluster in clusters for index in range(len(cluster))]


def _left(cluster: list[float], gap: float, low: float, high: float) -> float:
    width = gap * (len(cluster) - 1)
    return max(low, min(sum(cluster) / len(cluster) - width / 2, high - width))


def _right(cluster: list[float], gap: float, low: float, high: float) -> float:
    return _left(cluster, gap, low, high) + gap * (len(cluster) - 1)


def runs(values: Iterable[tuple[float, float | None]]) -> list[list[tuple[float, float]]]:
    """The series cut where samples are missing, so that no line is drawn across a gap."""
    parts: list[list[tuple[float, float]]] = [[]]
    for at, value in values:
        if value is None or not math.isfinite(value):
            parts.append([])
        else:
            parts[-1].append((at, value))
    return [part for part in parts if part]
