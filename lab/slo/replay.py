"""Computes when an SLO's alerts must fire and resolve from its event counts. Pure functions of numbers.

This is the arithmetic of the generated rules (ratios.py, rules.py) on counts instead of series, taken at each scrape:

    ratio over a window = clamp(bad / total, 0, 1), in a long window · seconds of history / window
    a tier holds while the ratios of both of its windows exceed factor · budget, and its long window has enough events
    the alert fires while any of its tiers holds

A window of W seconds at one scrape a second holds W samples, so the W - 1 increments between them: that is what rate()
sees, in Prometheus 2 and 3 alike, unless a scrape falls exactly on the window's edge. Missing history counts as good
events: the part of a window before the first count adds no bad ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from lab.slo.model import EventsSli, Slo, Tier, Windows

Number = float | None
# rate() extrapolates to the window's edge over a gap of up to this many intervals, and over half of one otherwise.
_EDGE_INTERVALS = 1.1


@dataclass(frozen=True)
class Span:
    """An interval in which an alert fires; `end` is None when it still fires at the last count. `tier` fired first."""

    start: float
    end: float | None
    tier: str


class Counts:
    """An SLO's events per scrape: item i counts all (bad) events between the previous scrape and `start + i · step`.

    None stands for a missed scrape; its events are counted at the next one. Raises ValueError when the two lists differ
    in length or in where they are None.
    """

    def __init__(
        self, total: Sequence[Number], bad: Sequence[Number], start_seconds: float = 0.0, step_seconds: float = 1.0
    ) -> None:
        if len(total) != len(bad):
            raise ValueError(f"total has {len(total)} counts and bad has {len(bad)}")
        missing_once = [
            i
            for i, (all_events, bad_events) in enumerate(zip(total, bad, strict=True))
            if (all_events is None) != (bad_events is None)
        ]
        if missing_once:
            raise ValueError(f"count {missing_once[0]} is missing in only one of total and bad")
        self.start, self.step, self.size = start_seconds, step_seconds, len(total)
        self.present = [value is not None for value in total]
        self._total = [0.0, *accumulate(value or 0.0 for value in total)]
        self._bad = [0.0, *accumulate(value or 0.0 for value in bad)]
        # The first scrape at or after each index; the scrape before the first count has the index -1.
        self._next = [self.size] * (self.size + 1)
        for i in reversed(range(self.size)):
            self._next[i] = i if self.present[i] else self._next[i + 1]

    def at(self, index: int) -> float:
        """The time of a count, in seconds from time zero."""
        return self.start + index * self.step

    def sums(self, after: float, until: float) -> tuple[float, float]:
        """(bad, total) events counted in (after, until]."""
        first = max(0, min(self.size, int((after - self.start) // self.step) + 1))
        last = max(first, min(self.size, int((until - self.start) // self.step) + 1))
        return self._bad[last] - self._bad[first], self._total[last] - self._total[first]

    def window(self, index: int, seconds: int) -> tuple[float, float, float] | None:
        """(bad, total, extrapolation factor) of the window that ends at a count, as rate() sees them.

        None when the window holds no increment.
        """
        edge = index + 1 - round(seconds / self.step)
        first = -1 if edge < 0 else self._next[edge]
        last = index
        while last > first and not self.present[last]:
            last -= 1
        if last <= first:
            return None
        held = (last - first) * self.step
        gap = seconds - held - (index - last) * self.step
        average = held / max(1, sum(self.present[first + 1 : last + 1]))
        reach = gap if gap < _EDGE_INTERVALS * average else average / 2
        end = min((index - last) * self.step, average / 2)
        bad = self._bad[last + 1] - self._bad[first + 1]
        return bad, self._total[last + 1] - self._total[first + 1], (held + reach + end) / held


def ratio(counts: Counts, slo: Slo, windows: Windows, seconds: int, index: int) -> Number:
    """The bad ratio over a window that the rules record at a count; None where they record none."""
    window = counts.window(index, seconds)
    if window is None:
        return None
    bad, total, _ = window
    if total <= 0:
        # With bad events and no total, the rules' clamp gives 1.
        return 1.0 if bad > 0 else None
    value = max(0.0, min(1.0, bad / total))
    is_long = any(tier.long_seconds == seconds and slo.enabled(tier.severity) for tier in windows.tiers)
    if is_long and slo.policy.cold_start_as_warm:
        value *= _history(counts, windows, seconds, index) / seconds
    return value


def ratios(counts: Counts, slo: Slo, windows: Windows, seconds: int) -> list[Number]:
    """The bad ratio over a window at every count; None where the rules record none."""
    return [ratio(counts, slo, windows, seconds, index) for index in range(counts.size)]


def holds(counts: Counts, slo: Slo, windows: Windows, tier: Tier) -> list[bool]:
    """Whether a tier's condition holds, at every count."""
    return [holds_at(counts, slo, windows, tier, index) for index in range(counts.size)]


def holds_at(counts: Counts, slo: Slo, windows: Windows, tier: Tier, index: int) -> bool:
    """Whether a tier's condition holds at one count."""
    threshold = tier.factor * slo.budget_ratio
    over = (ratio(counts, slo, windows, seconds, index) for seconds in (tier.short_seconds, tier.long_seconds))
    return all(value is not None and value > threshold for value in over) and _enough(counts, slo, tier, index)


def spans(counts: Counts, slo: Slo, windows: Windows, severity: str) -> list[Span]:
    """The intervals in which the alert of one severity must fire: while any of its tiers holds."""
    tiers = {tier.name: holds(counts, slo, windows, tier) for tier in windows.of(severity)}
    firing: list[Span] = []
    start: tuple[float, str] | None = None
    for index in range(counts.size):
        holding = next((name for name, states in tiers.items() if states[index]), None)
        if holding and start is None:
            start = counts.at(index), holding
        elif not holding and start is not None:
            firing.append(Span(start[0], counts.at(index), start[1]))
            start = None
    return firing if start is None else [*firing, Span(start[0], None, start[1])]


def _enough(counts: Counts, slo: Slo, tier: Tier, index: int) -> bool:
    """Whether the extrapolated bad events in the long window reach the floor less half an event: see `ratios.floor`."""
    if not slo.policy.min_bad_events or not isinstance(slo.sli, EventsSli):
        return True
    window = counts.window(index, tier.long_seconds)
    if window is None:
        return False
    bad, _, extrapolation = window
    return bad * extrapolation > slo.policy.min_bad_events - 0.5


def _history(counts: Counts, windows: Windows, seconds: int, index: int) -> float:
    """Seconds of the window for which the SLI has been seen, from 1 to the whole window: see `ratios._history`."""
    reach = max(0, index + 1 - round((seconds + windows.shortest_seconds) / counts.step))
    first = next((i for i in range(reach, index + 1) if counts.window(i, windows.shortest_seconds)), index)
    return min(max(counts.at(index) - counts.at(first), 1.0), float(seconds))
