"""Rules for the bad ratio of each window, and the guards of an alert's long windows (see `Policy`).

    clamp(bad / all, 0, 1) · seconds of history / window, without NaN

The clamp turns any query result into a ratio: failures while the total is constant give 1, and a value slightly below
zero gives 0. Idle time, 0 / 0, has no ratio. Missing history counts as good events at the rate seen so far, in the long
windows only; for a full window the factor is 1. Without guards a ratio is bad / all, as Sloth writes it: thresholds are
between 0 and 1, so the clamp would not change any alert.

The floor of bad events is a separate condition of the alert. The bad events of a long window are recorded for it and
reused by that window's ratio, so that no range is evaluated twice.
"""

from __future__ import annotations

from lab.slo.durations import format_duration
from lab.slo.model import EventsSli, RawSli, Slo, Tier, Windows
from lab.slo.query.units import unit_of
from lab.slo.rendering import series
from lab.slo.rendering.rule import Rule, ignoring, record
from lab.slo.specs.fields import WINDOW, refuse_at


def in_window(query: str, window_seconds: int) -> str:
    """The query with `{{.window}}` replaced by a duration."""
    return WINDOW.sub(format_duration(window_seconds), query)


def ratio(slo: Slo, windows: Windows, window: int) -> list[Rule]:
    """The rule for the bad ratio over one window, preceded by one for its bad events where a floor needs them."""
    is_long = any(tier.long_seconds == window and slo.enabled(tier.severity) for tier in windows.tiers)
    if isinstance(slo.sli, RawSli):
        rules, expr = [], f"({in_window(slo.sli.error_ratio_query, window)})"
    else:
        rules = [record(slo, series.error_rate(window), bad_events(slo.sli, window), window)]
        over = f"/ {ignoring(slo)}"
        bad = f"{series.error_rate(window)}{series.selector(slo)}"
        if not is_long or not slo.policy.min_bad_events:
            rules, over, bad = [], "/", f"({bad_events(slo.sli, window)})"
        total = f"({in_window(slo.sli.total_query, window)})"
        expr = f"{bad}\n{over}\n{total if slo.policy.plain else f'clamp_min({total}, 0)'}"
    if not slo.policy.plain:
        warm = is_long and slo.policy.cold_start_as_warm
        history = f" * {_history(slo, windows, window)} / {window}" if warm else ""
        expr = f"clamp(\n{expr},\n0, 1){history} >= 0"
    return [*rules, record(slo, series.error_ratio(window), expr, window)]


def bad_events(sli: EventsSli, window: int) -> str:
    """PromQL for the bad events of a window; 0 only as long as no failure has ever been counted."""
    return f"({in_window(sli.error_query, window)}) or on () vector(0)"


def seen(slo: Slo, windows: Windows) -> list[Rule]:
    """A rule for the times at which the SLI existed, which distinguishes missing history from idle history."""
    if not slo.policy.cold_start_as_warm:
        return []
    query = slo.sli.total_query if isinstance(slo.sli, EventsSli) else slo.sli.error_ratio_query
    shortest = windows.shortest_seconds
    expr = f"timestamp(clamp_min(({in_window(query, shortest)}), 0) >= 0)"
    return [record(slo, series.SEEN, expr, shortest)]


def floor(slo: Slo, tier: Tier) -> str:
    """The condition that a tier's long window contains the policy's minimum of bad events; "" without a floor.

    The threshold is half an event lower, because a counter's increase is extrapolated and rarely a whole number. Raises
    SpecError when the query's unit is unknown. A raw ratio has no events and therefore no floor.
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
            f"its unit is unknown, so min_bad_events ({slo.policy.min_bad_events}) cannot be checked; use rate() or "
            "increase() over [{{.window}}], or disable the floor with policy: {min_bad_events: 0}",
        )
    threshold = unit.value(slo.policy.min_bad_events - 0.5, tier.long_seconds)
    return f"{series.error_rate(tier.long_seconds)}{series.selector(slo)} > {threshold}"


def _history(slo: Slo, windows: Windows, window: int) -> str:
    """PromQL for the seconds of the window since the SLI first existed, from 1 to the whole window."""
    # One short window longer, so that a full window never counts as one sample short.
    reach = format_duration(window + windows.shortest_seconds)
    first = f"min(min_over_time({series.SEEN}{series.selector(slo)}[{reach}]))"
    return f"scalar(clamp(time() - {first}, 1, {window}))"
