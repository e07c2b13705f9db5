"""The error-budget ledger: which incident, rollout or change each bad event belongs to. Pure and exact.

Every interval of bad events goes to exactly one entry, by `owner`; so the entries and what is not attributed sum to all
bad events, and their shares to the spent part of the budget. Fractions keep the sums free of rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


class Kind(StrEnum):
    """What may have spent a budget. Of spans that overlap, the kind that is listed first here is charged."""

    DRILL = "drill"
    PAGE = "page"
    OTHER_PAGE = "other page"  # of another SLO, or of none
    ROLLOUT = "rollout"
    CHANGE = "change"

    @property
    def is_incident(self) -> bool:
        """Whether it is an incident, which above the policy's bound needs a postmortem."""
        return self in (Kind.DRILL, Kind.PAGE, Kind.OTHER_PAGE)


_ORDER = list(Kind)


@dataclass(frozen=True)
class Interval:
    """The bad events, not negative, that happened from `start` to `end` (epoch seconds)."""

    start: float
    end: float
    bad: Fraction


@dataclass(frozen=True)
class Span:
    """Something that may have spent a budget from `start` to `end` (epoch seconds; infinite while it goes on)."""

    name: str
    kind: Kind
    start: float
    end: float = math.inf

    def overlaps(self, interval: Interval) -> bool:
        """Whether an event of the interval may have happened in the span."""
        return interval.start < self.end and self.start <= interval.end


@dataclass(frozen=True)
class Entry:
    """What one span spent; `share` is its part of the whole budget."""

    span: Span
    bad: Fraction
    share: Fraction


@dataclass(frozen=True)
class Ledger:
    """What spent one budget. `allowed` is the number of bad events that is the whole budget, above 0."""

    entries: tuple[Entry, ...]  # the largest first
    unattributed: Fraction  # bad events
    allowed: Fraction

    @property
    def unattributed_share(self) -> Fraction:
        """The part of the budget that was spent outside every span."""
        return self.unattributed / self.allowed

    @property
    def left_share(self) -> Fraction:
        """The part of the budget that is left; below 0 when it is overspent."""
        return 1 - sum((entry.share for entry in self.entries), self.unattributed_share)

    def above(self, bound: float) -> list[Entry]:
        """The incidents that spent more than this part of the budget."""
        return [entry for entry in self.entries if entry.span.kind.is_incident and float(entry.share) > bound]


def ledger(intervals: Iterable[Interval], spans: Iterable[Span], allowed: Fraction) -> Ledger:
    """Charge the bad events of each interval to one span, or to none. Raises ValueError unless `allowed` is above 0."""
    if allowed <= 0:
        raise ValueError(f"a budget of {allowed} bad events cannot be shared out")
    candidates = sorted(set(spans), key=_precedence)
    charged: dict[Span | None, Fraction] = {}
    for interval in intervals:
        if interval.bad:
            span = owner(interval, candidates)
            charged[span] = charged.get(span, Fraction(0)) + interval.bad
    unattributed = charged.pop(None, Fraction(0))
    entries = [Entry(span, bad, bad / allowed) for span, bad in charged.items() if span is not None]
    entries.sort(key=lambda entry: (-entry.bad, _precedence(entry.span)))
    return Ledger(tuple(entries), unattributed, allowed)


def owner(interval: Interval, candidates: Sequence[Span]) -> Span | None:
    """The first candidate that overlaps the interval; None if none does."""
    return next((span for span in candidates if span.overlaps(interval)), None)


def _precedence(span: Span) -> tuple[int, float, float, str]:
    """The order in which spans are charged: by kind; of one kind, the one that began last, then the shorter one."""
    return _ORDER.index(span.kind), -span.start, span.end, span.name


def whole(values: Sequence[Fraction]) -> list[int]:
    """The values as integers whose sum is that of the values, rounded (largest remainders)."""
    lower = [math.floor(value) for value in values]
    missing = round(sum(values, Fraction(0))) - sum(lower)
    by_remainder = sorted(range(len(values)), key=lambda index: lower[index] - values[index])
    for index in by_remainder[:missing]:
        lower[index] += 1
    return lower
