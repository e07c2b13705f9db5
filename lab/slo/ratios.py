"""The bad ratio of each window, guarded where an alert's long window needs it (see `Policy`).

    bad / max(all events · L / seconds of history, floor)

Missing history thus counts as good events at the rate seen so far, and fewer than `min_bad_events` bad events in the
window never reach the tier's threshold. On a full window with traffic both guards are the identity.
"""

from __future__ import annotations

from lab.slo import series
from lab.slo.durations import format_duration
from lab.slo.fields import WINDOW
from lab.slo.model import EventsSli, RawSli, Slo, Tier, Windows
from lab.slo.rule import Rule, record


def in_window(query: str, window_seconds: int) -> str:
    """The query with its window filled in."""
    return WINDOW.sub(format_duration(window_seconds), query)


def ratio(slo: Slo, windows: Windows, window: int) -> Rule:
    """The bad ratio over one window."""
    if isinstance(slo.sli, RawSli):
        expr = _raw(slo, slo.sli, windows, window)
    else:
        bad = in_window(slo.sli.error_query, window)
        expr = f"(({bad}) or vector(0))\n/\n{_denominator(slo, slo.sli, windows, window)}"
    return record(slo, series.error_ratio(window), expr, window)


def seen(slo: Slo, windows: Windows) -> list[Rule]:
    """When the SLI was there: the memory that tells missing history from idle history."""
    if not slo.policy.cold_start_as_warm:
        return []
    query = slo.sli.total_query if isinstance(slo.sli, EventsSli) else slo.sli.error_ratio_query
    shortest = windows.shortest_seconds
    return [record(slo, series.SEEN, f"timestamp(({in_window(query, shortest)}) >= 0)", shortest)]


def floor_rate(slo: Slo, tier: Tier) -> float:
    """Events per second that a long window is taken to hold at least, so that bad ones below the floor stay silent.

    Half an event below the floor, because a counter's increase is extrapolated and never a whole number.
    """
    bad_events = max(0.0, slo.policy.min_bad_events - 0.5)
    return bad_events / (tier.factor * slo.budget_ratio * tier.long_seconds)


def _denominator(slo: Slo, sli: EventsSli, windows: Windows, window: int) -> str:
    """All events of a window as a rate, guarded where the window is some alert's long one."""
    events = f"({in_window(sli.total_query, window)})"
    tiers = _long_of(slo, windows, window)
    if not tiers or slo.policy.plain:
        return f"({events} > 0)"
    if slo.policy.cold_start_as_warm:
        events += f" * {window} / {_history(slo, windows, window)}"
    floor = min(floor_rate(slo, tier) for tier in tiers)
    return f"clamp_min({events}, {floor:.6g})" if floor else f"({events} > 0)"


def _raw(slo: Slo, sli: RawSli, windows: Windows, window: int) -> str:
    """A raw ratio has no events: history can be weighed, a floor cannot."""
    expr = f"({in_window(sli.error_ratio_query, window)}) >= 0"
    if _long_of(slo, windows, window) and slo.policy.cold_start_as_warm:
        expr = f"({expr}) * {_history(slo, windows, window)} / {window}"
    return expr


def _long_of(slo: Slo, windows: Windows, window: int) -> list[Tier]:
    return [tier for tier in windows.tiers if tier.long_seconds == window and slo.enabled(tier.severity)]


def _history(slo: Slo, windows: Windows, window: int) -> str:
    """Seconds of the window for which the SLI has been seen, from 1 to the whole window."""
    # One short window more than asked for, so that a full window never counts as one sample short.
    reach = format_duration(window + windows.shortest_seconds)
    first = f"min(min_over_time({series.SEEN}{series.selector(slo)}[{reach}]))"
    return f"scalar(clamp(time() - {first}, 1, {window}))"
