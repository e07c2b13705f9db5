"""The bad ratio of each window, and the guards of an alert's long windows (see `Policy`).

    clamp(bad / all, 0, 1) · seconds of history / window, without NaN

The clamp makes a ratio of whatever the queries give: failures while the total stands still are 1, a hair below zero is
0. Idle time, 0 / 0, has no ratio. Missing history counts as good events at the rate seen so far, in the long windows
alone; on a full window the factor is 1. Without guards a ratio is bad / all as Sloth writes it: its thresholds lie
between 0 and 1, so the clamp would move no alert.

The floor of bad events is a condition of its own in the alert. The bad events of a long window are recorded for it, and
read again by that window's ratio, so that no range is evaluated twice.
"""

from __future__ import annotations

from lab.slo.durations import format_duration
from lab.slo.model import EventsSli, RawSli, Slo, Tier, Windows
from lab.slo.query.units import unit_of
from lab.slo.rendering import series
from lab.slo.rendering.rule import Rule, ignoring, record
from lab.slo.specs.fields import WINDOW, refuse_at


def in_window(query: str, window_seconds: int) -> str:
    """The query with its window filled in."""
    return WINDOW.sub(format_duration(window_seconds), query)


def ratio(slo: Slo, windows: Windows, window: int) -> list[Rule]:
    """The bad ratio over one window, after its bad events where a floor needs them."""
    is_long = any(tier.long_seconds == window and slo.enabled(tier.severity) for tier in windows.tiers)
    if isinstance(slo.sli, RawSli):
        found, expr = [], f"({in_window(slo.sli.error_ratio_query, window)})"
    else:
        found = [record(slo, series.error_rate(window), bad_events(slo.sli, window), window)]
        over = f"/ {ignoring(slo)}"
        bad = f"{series.error_rate(window)}{series.selector(slo)}"
        if not is_long or not slo.policy.min_bad_events:
            found, over, bad = [], "/", f"({bad_events(slo.sli, window)})"
        total = f"({in_window(slo.sli.total_query, window)})"
        expr = f"{bad}\n{over}\n{total if slo.policy.plain else f'clamp_min({total}, 0)'}"
    if not slo.policy.plain:
        warm = is_long and slo.policy.cold_start_as_warm
        history = f" * {_history(slo, windows, window)} / {window}" if warm else ""
        expr = f"clamp(\n{expr},\n0, 1){history} >= 0"
    return [*found, record(slo, series.error_ratio(window), expr, window)]


def bad_events(sli: EventsSli, window: int) -> str:
    """The bad events of a window; 0 while no failure has ever been counted, and only then."""
    return f"({in_window(sli.error_query, window)}) or on () vector(0)"


def seen(slo: Slo, windows: Windows) -> list[Rule]:
    """When the SLI was there: the memory that tells missing history from idle history."""
    if not slo.policy.cold_start_as_warm:
        return []
    query = slo.sli.total_query if isinstance(slo.sli, EventsSli) else slo.sli.error_ratio_query
    shortest = windows.shortest_seconds
    expr = f"timestamp(clamp_min(({in_window(query, shortest)}), 0) >= 0)"
    return [record(slo, series.SEEN, expr, shortest)]


def floor(slo: Slo, tier: Tier) -> str:
    """The condition that a tier's long window holds as many bad events as the policy asks for; "" without a floor.

    Half an event fewer, because a counter's increase is extrapolated and never a whole number. Raises SpecError when
    the query's unit cannot be told. A raw ratio has no events, and no floor.
    """
    if not slo.policy.min_bad_events or not isinstance(slo.sli, EventsSli):
        return ""
    try:
        unit = unit_of(slo.sli.error_query)
    except ValueError as error:
        raise refuse_at(slo.origins["error_query"], f"is not PromQL: {error}") from error
    if unit is None:
        raise refuse_at(
            slo.origins["error_query"],
            f"its unit cannot be told, so min_bad_events ({slo.policy.min_bad_events}) cannot be counted; use rate() "
            "or increase() over [{{.window}}], or turn the floor off with policy: {min_bad_events: 0}",
        )
    least = unit.value(slo.policy.min_bad_events - 0.5, tier.long_seconds)
    return f"{series.error_rate(tier.long_seconds)}{series.selector(slo)} > {least}"


def _history(slo: Slo, windows: Windows, window: int) -> str:
    """Seconds of the window for which the SLI has been seen, from 1 to the whole window."""
    # One short window more than asked for, so that a full window never counts as one sample short.
    reach = format_duration(window + windows.shortest_seconds)
    first = f"min(min_over_time({series.SEEN}{series.selector(slo)}[{reach}]))"
    return f"scalar(clamp(time() - {first}, 1, {window}))"
