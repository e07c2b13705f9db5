"""The arithmetic of burn-rate alerts. Pure functions of numbers.

With b the budget ratio (1 - objective), e the ratio of bad events, k a tier's factor, L and S its long and short
window: an alert fires after L·k·b/e of constant e (when e > k·b, else never), has then spent k·L/period of the budget,
and resolves S·(1 - k·b/e) after the errors stop. Traffic is assumed constant and the windows full of good events; the
generated rules count missing history as good events too. Source: Google SRE Workbook, chapter 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from lab.slo.model import Tier, Windows

Profile = Sequence[tuple[float, float]]  # (duration in seconds, bad ratio), one after the other; all good before
Interval = tuple[float, float]  # seconds from the profile's start; the end may be infinite

FOREVER = float("inf")


def reachable(tier: Tier, budget_ratio: float) -> bool:
    """Whether any ratio of bad events can trip this tier: not when k·b is 1 or more."""
    return tier.factor * budget_ratio < 1


def detection_seconds(tier: Tier, budget_ratio: float, bad_ratio: float) -> float | None:
    """Seconds from the start of a constant bad ratio until the tier fires; None when it never does."""
    threshold = tier.factor * budget_ratio
    return tier.long_seconds * threshold / bad_ratio if bad_ratio > threshold else None


def reset_seconds(tier: Tier, budget_ratio: float, bad_ratio: float) -> float | None:
    """Seconds from the end of a long-standing constant bad ratio until the tier resolves; None when it never fired."""
    threshold = tier.factor * budget_ratio
    return tier.short_seconds * (1 - threshold / bad_ratio) if bad_ratio > threshold else None


def budget_spent_ratio(tier: Tier, windows: Windows) -> float:
    """The fraction of the period's budget that is spent when the tier fires on a step."""
    return tier.factor * tier.long_seconds / windows.period_seconds


def first_detection(tiers: Iterable[Tier], budget_ratio: float, profile: Profile) -> tuple[float, Tier] | None:
    """When an alert first fires under a profile whose last piece continues for ever, and which tier fires."""
    starts = [(intervals[0][0], tier) for tier in tiers if (intervals := tier_intervals(tier, budget_ratio, profile))]
    # Rounded, so that the first of tiers that fire together wins, whatever the last bit of their times.
    return min(starts, key=lambda pair: round(pair[0], 6)) if starts else None


def alert_intervals(tiers: Iterable[Tier], budget_ratio: float, profile: Profile) -> list[Interval]:
    """When an alert fires (any of its tiers does) under a profile whose last piece continues for ever."""
    return _merge(interval for tier in tiers for interval in tier_intervals(tier, budget_ratio, profile))


def tier_intervals(tier: Tier, budget_ratio: float, profile: Profile) -> list[Interval]:
    """When both windows of one tier exceed its threshold under a profile whose last piece continues for ever."""
    threshold = tier.factor * budget_ratio
    edges = _edges(profile)
    windows = (tier.short_seconds, tier.long_seconds)
    # A window's mean is linear between the instants at which one of its ends crosses an edge of the profile.
    knots = sorted({edge + shift for edge, _ in edges for shift in (0, *windows)})
    intervals = [
        interval
        for start, end in pairwise(knots)
        if (
            interval := _above([(_mean(edges, start, w), _mean(edges, end, w)) for w in windows], threshold, start, end)
        )
    ]
    settled = knots[-1]
    if all(_mean(edges, settled, window) > threshold for window in windows):
        intervals.append((settled, FOREVER))
    return _merge(intervals)


def _edges(profile: Profile) -> list[tuple[float, float]]:
    """(start, bad ratio) of each piece."""
    edges, at = [], 0.0
    for duration, bad_ratio in profile:
        edges.append((at, bad_ratio))
        at += duration
    return edges


def _mean(edges: list[tuple[float, float]], at: float, window: float) -> float:
    """The bad ratio over (at - window, at]."""
    total = 0.0
    for index, (start, bad_ratio) in enumerate(edges):
        end = edges[index + 1][0] if index + 1 < len(edges) else at
        total += bad_ratio * max(0.0, min(end, at) - max(start, at - window))
    return total / window


def _above(lines: list[tuple[float, float]], threshold: float, start: float, end: float) -> Interval | None:
    """The part of (start, end] in which all straight lines (value at start, value at end) lie above the threshold."""
    low, high = start, end
    for at_start, at_end in lines:
        if at_start <= threshold and at_end <= threshold:
            return None
        if (at_start > threshold) != (at_end > threshold):
            crossing = start + (end - start) * (threshold - at_start) / (at_end - at_start)
            low, high = (max(low, crossing), high) if at_end > at_start else (low, min(high, crossing))
    return (low, high) if low < high else None


def _merge(intervals: Iterable[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1] + 1e-9:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
