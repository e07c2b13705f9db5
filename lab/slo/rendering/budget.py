"""Rules for the remaining error budget over the whole period, weighted by events, and for the constants of an SLO.

    ratio over the period = bad events / all events · fraction of the period with data

Idle time adds nothing to either side and causes no NaN. Time without data (the service is new, or was down) counts as
good at the average rate of the time with data: a lab that is five minutes old has not spent twelve hours' budget on its
first incident. With data for the whole period, this is bad events over all events. The ratio is clamped to 0 to 1, so
that the remaining budget stays readable.
"""

from __future__ import annotations

from lab.slo.durations import format_duration
from lab.slo.model import RawSli, Slo, Windows
from lab.slo.rendering import series
from lab.slo.rendering.ratios import in_window
from lab.slo.rendering.rule import Rule, ignoring, record

# Prometheus looks back five minutes for a sample. Half of that leaves no gap when an evaluation is missed.
MAX_INTERVAL_SECONDS = 150


def interval_seconds(windows: Windows) -> int:
    """The evaluation interval of slowly changing rules: half the shortest window, at most half the lookback."""
    return max(1, min(windows.shortest_seconds // 2, MAX_INTERVAL_SECONDS))


def budget(slo: Slo, windows: Windows, interval: int) -> list[Rule]:
    """Rules for the events in the shortest window, and from them the period's ratio, burn rate and remaining budget."""
    period, pick = windows.period_seconds, series.selector(slo)
    whole = f"{series.error_ratio(period)}{pick}"
    return [
        *_events(slo, windows),
        record(slo, series.error_ratio(period), _period_ratio(slo, windows, interval), period),
        record(slo, series.PERIOD_BURN_RATE, f"{whole} / {budget_text(slo)}", period),
        record(slo, series.BUDGET_REMAINING, f"1 - {series.PERIOD_BURN_RATE}{pick}", period),
    ]


def constants(slo: Slo, windows: Windows) -> list[Rule]:
    """Rules that record the spec's own values, and the current burn rate (of the shortest window)."""
    info = {
        **slo.info_labels,
        "sloth_mode": "fleetops",
        "sloth_spec": slo.spec_version,
        "sloth_objective": f"{slo.objective_percent}",
    }
    shortest = windows.shortest_seconds
    current = f"{series.error_ratio(shortest)}{series.selector(slo)} / {budget_text(slo)}"
    return [
        record(slo, series.OBJECTIVE, f"vector({slo.objective_ratio})"),
        record(slo, series.ERROR_BUDGET, f"vector({budget_text(slo)})"),
        record(slo, series.PERIOD_DAYS, f"vector({windows.period_seconds / 86400:g})"),
        record(slo, series.CURRENT_BURN_RATE, current, shortest),
        record(slo, series.INFO, "vector(1)", None, info),
    ]


def budget_text(slo: Slo) -> str:
    """The budget as written in a rule. Without guards it is computed as Sloth does, so that even ties agree."""
    return repr((100 - float(slo.objective_percent)) / 100) if slo.policy.plain else repr(slo.budget_ratio)


def _events(slo: Slo, windows: Windows) -> list[Rule]:
    """Bad events and all events as separate series, so that every event in the period has the same weight.

    A raw ratio has no events: each evaluation at which it exists counts as one.
    """
    shortest, pick = windows.shortest_seconds, series.selector(slo)
    bad, events = series.error_rate(shortest), series.total_rate(shortest)
    if isinstance(slo.sli, RawSli):
        ratio = f"clamp(({in_window(slo.sli.error_ratio_query, shortest)}), 0, 1) >= 0"
        return [record(slo, bad, ratio, shortest), record(slo, events, f"({ratio}) ^ 0", shortest)]
    failed, all_of_them = (in_window(query, shortest) for query in (slo.sli.error_query, slo.sli.total_query))
    # `>= 0` keeps NaN out of the sums. Bad events whose labels do not match the total are dropped.
    return [
        record(slo, events, f"clamp_min(({all_of_them}), 0) >= 0", shortest),
        record(
            slo,
            bad,
            f"(\nclamp_min(({failed}), 0) >= 0\nor on ()\n{events}{pick} * 0\n)\nand {ignoring(slo)}\n{events}{pick}",
            shortest,
        ),
    ]


def _period_ratio(slo: Slo, windows: Windows, interval: int) -> str:
    """The bad ratio of the period, summed over all label sets that the SLO's series had, so that relabelling is safe.

    Absent while the labels of the bad events do not match the total, as the windows' ratios are.
    """
    shortest, pick = windows.shortest_seconds, series.selector(slo)
    over = f"{pick}[{format_duration(windows.period_seconds)}]"
    bad, events = series.error_rate(shortest), series.total_rate(shortest)
    ratio = f"clamp(\nsum(sum_over_time({bad}{over}))\n/\nclamp_min(sum(sum_over_time({events}{over})), 1e-9),\n0, 1)"
    if slo.policy.cold_start_as_warm:
        known = f"sum(count_over_time({events}{over})) / {windows.period_seconds // interval}"
        ratio = f"{ratio}\n*\nclamp_max({known}, 1)"
    return f"{ratio}\nunless on ()\n({events}{pick} unless on () {bad}{pick})"
