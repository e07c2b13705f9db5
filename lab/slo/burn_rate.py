"""The arithmetic of burn-rate alerts: numbers in, numbers out.

With b the budget ratio (1 - objective), e the ratio of bad events, k a tier's factor, L and S its long and short
window: an alert fires after L·k·b/e of constant e (when e > k·b, else never), has then spent k·L/period of the budget,
and resolves S·(1 - k·b/e) after the errors stop. Traffic is taken as constant and the windows as full of good events,
which is what the generated rules make of history that is missing. Source: Google SRE Workbook, chapter 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from lab.slo.model import Tier, Windows

Profile = Sequence[tuple[float, float]]  # (duration in seconds, bad ratio), one after the other


def reachable(tier: Tier, budget_ratio: float) -> bool:
    """Whether any ratio of bad events can trip this tier: not when k·b is 1 or more."""
    return tier.factor * budget_ratio < 1


def detection_seconds(tier: Tier, budget_ratio: float, bad_ratio: float) -> float | None:
    """Seconds from the start of a constant bad ratio until the tier fires; None when it never does."""
    threshold = tier.factor * budget_ratio
    return tier.long_seconds * threshold / bad_ratio if bad_ratio > threshold else None


def reset_seconds(tier: Tier, budget_ratio: float, bad_ratio: float) -> float | None:
    """Seconds from the end of a long-standing constant bad ratio until the tier lets go; None when it never fired."""
    threshold = tier.factor * budget_ratio
    return tier.short_seconds * (1 - threshold / bad_ratio) if bad_ratio > threshold else None


def budget_spent_ratio(tier: Tier, windows: Windows) -> float:
    """The part of the period's budget that is gone when the tier fires on a step."""
    return tier.factor * tier.long_seconds / windows.period_seconds


def first_detection(tiers: Iterable[Tier], budget_ratio: float, profile: Profile) -> tuple[float, Tier] | None:
    """When an alert fires under a profile of bad ratios, and by which tier: the least over its tiers."""
    found = [(at, tier) for tier in tiers if (at := profile_detection_seconds(tier, budget_ratio, profile)) is not None]
    return min(found, key=lambda pair: pair[0]) if found else None


def profile_detection_seconds(tier: Tier, budget_ratio: float, profile: Profile) -> float | None:
    """Seconds from the profile's start until both windows exceed the threshold; None if they never do together.

    The last piece of the profile is taken to last for ever. Before the profile, everything was good.
    """
    threshold = tier.factor * budget_ratio
    edges = _edges(profile)
    # A window's mean is linear between the instants at which one of its ends crosses an edge of the profile.
    last = edges[-1][0]
    windows = (tier.short_seconds, tier.long_seconds)
    knots = sorted({edge + shift for edge, _ in edges for shift in (0, *windows)} | {last + tier.long_seconds})
    for start, end in pairwise(knots):
        at = _first_above([(_mean(edges, start, w), _mean(edges, end, w)) for w in windows], threshold, start, end)
        if at is not None:
            return at
    return None


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


def _first_above(lines: list[tuple[float, float]], threshold: float, start: float, end: float) -> float | None:
    """The first instant of (start, end] from which all straight lines lie above the threshold."""
    low, high = start, end
    for at_start, at_end in lines:
        if at_start > threshold and at_end > threshold:
            continue
        if at_start <= threshold and at_end <= threshold:
            return None
        crossing = start + (end - start) * (threshold - at_start) / (at_end - at_start)
        low, high = (max(low, crossing), high) if at_end > at_start else (low, min(high, crossing))
    return low if low < high else None
