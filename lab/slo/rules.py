"""From an SLO and its windows to the rules Prometheus loads. Pure: no files, no clock.

Two groups an SLO. The first is evaluated at Prometheus's own interval, in this order, so that an alert sees the ratios
of its own instant: the two rates, the ratio of every window, the alerts. The second holds what moves slowly (the budget
over the whole period and the constants) and is evaluated at half the shortest window, which spares most of the cost.

The ratio of a tier's long window is guarded (see `Policy`):

    bad / max(all events · L / seconds of history, floor)

Missing history thus counts as good events at the rate seen so far, and fewer than `min_bad_events` bad events in the
window never reach the tier's threshold. On a full window with traffic both guards are the identity.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.slo import series
from lab.slo.burn_rate import reachable
from lab.slo.durations import format_duration
from lab.slo.fields import WINDOW, refuse_at
from lab.slo.model import SEVERITIES, EventsSli, RawSli, Slo, Tier, Windows


@dataclass(frozen=True)
class Rule:
    """One recording or alerting rule."""

    kind: str  # record | alert
    name: str
    expr: str
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Rules that are evaluated one after the other at one instant."""

    name: str
    rules: tuple[Rule, ...]
    interval_seconds: int | None = None  # None: Prometheus's own


def generate(slo: Slo, windows: Windows) -> list[Group]:
    """The groups of one SLO. Raises SpecError when a tier of an enabled alert can never fire."""
    refuse_unreachable(slo, windows)
    refuse_other_period(slo, windows)
    sli = _raw_sli(slo, slo.sli, windows) if isinstance(slo.sli, RawSli) else _events_sli(slo, slo.sli, windows)
    alerts = [_alert(slo, windows, severity) for severity in SEVERITIES if slo.enabled(severity)]
    fast = (*sli, _current_burn(slo, windows), *alerts)
    slow = (*_constants(slo, windows), *_budget(slo, windows))
    interval = max(1, windows.shortest_seconds // 2)
    return [Group(f"slo-{slo.sloth_id}", fast), Group(f"slo-{slo.sloth_id}-budget", slow, interval)]


def refuse_unreachable(slo: Slo, windows: Windows) -> None:
    """Raise SpecError, naming the tier, when no ratio of bad events could trip it."""
    for tier in windows.tiers:
        if slo.enabled(tier.severity) and not reachable(tier, slo.budget_ratio):
            raise refuse_at(
                slo.origins["objective"],
                f"{slo.objective_percent} % can never trip {tier.name} of windows {windows.name}: it needs more than "
                f"{tier.factor * slo.budget_ratio:.0%} of events to be bad ({tier.factor:g} x {slo.budget_ratio:g}); "
                f"lower its errorBudgetPercent, raise the objective, or disable {tier.severity}_alert",
            )


def refuse_other_period(slo: Slo, windows: Windows) -> None:
    """Raise SpecError when the spec states a period that is not the windows'."""
    period = windows.period_seconds * windows.time_factor
    if slo.period_seconds not in (None, period):
        raise refuse_at(
            slo.origins["period"],
            f"{format_duration(slo.period_seconds or 0)} is not the period of windows {windows.name} "
            f"({format_duration(period)}); give windows of the same period",
        )


def in_window(query: str, window_seconds: int) -> str:
    """The query with its window filled in."""
    return WINDOW.sub(format_duration(window_seconds), query)


def _identity(slo: Slo) -> dict[str, str]:
    return slo.labels | _ids(slo)


def _ids(slo: Slo) -> dict[str, str]:
    return {series.LABEL_ID: slo.sloth_id, series.LABEL_SERVICE: slo.service, series.LABEL_SLO: slo.name}


def _record(slo: Slo, name: str, expr: str, window_seconds: int | None = None, **labels: str) -> Rule:
    window = {series.LABEL_WINDOW: format_duration(window_seconds)} if window_seconds else {}
    return Rule("record", name, expr, _identity(slo) | window | labels)


def _events_sli(slo: Slo, sli: EventsSli, windows: Windows) -> list[Rule]:
    shortest = windows.shortest_seconds
    error, total = series.error_rate(shortest), series.total_rate(shortest)
    pick = series.selector(slo)
    # `>= 0` lets neither NaN nor the negative dust of a subtraction into the budget's sums.
    rules = [
        _record(slo, error, f"({in_window(sli.error_query, shortest)}) >= 0\nor\nvector(0)", shortest),
        _record(slo, total, f"({in_window(sli.total_query, shortest)}) >= 0", shortest),
        *_seen(slo, windows, total),
        _record(slo, series.error_ratio(shortest), f"{error}{pick}\n/\n({total}{pick} > 0)", shortest),
    ]
    for window in windows.all_seconds:
        if window != shortest:
            bad, events = in_window(sli.error_query, window), in_window(sli.total_query, window)
            ratio = f"(({bad}) or vector(0))\n/\n{_denominator(slo, windows, window, events)}"
            rules.append(_record(slo, series.error_ratio(window), ratio, window))
    return rules


def _denominator(slo: Slo, windows: Windows, window: int, events: str) -> str:
    """All events of a window as a rate, guarded where the window is some alert's long one."""
    tiers = [tier for tier in windows.tiers if tier.long_seconds == window and slo.enabled(tier.severity)]
    if not tiers or slo.policy.plain:
        return f"(({events}) > 0)"
    expected = f"({events})"
    if slo.policy.cold_start_as_warm:
        expected += f" * {window} / {_history(slo, windows, window)}"
    floor = min((floor_rate(slo, tier) for tier in tiers), default=0.0)
    return f"clamp_min({expected}, {floor:.6g})" if floor else f"({expected} > 0)"


def floor_rate(slo: Slo, tier: Tier) -> float:
    """Events per second that a long window is taken to hold at least, so that bad ones below the floor stay silent.

    Half an event below the floor, because a counter's increase is extrapolated and never a whole number.
    """
    bad_events = max(0.0, slo.policy.min_bad_events - 0.5)
    return bad_events / (tier.factor * slo.budget_ratio * tier.long_seconds)


def _history(slo: Slo, windows: Windows, window: int) -> str:
    """Seconds of the window for which the SLI has been seen, from 1 to the whole window."""
    # One short window more than asked for, so that a full window never counts as one sample short.
    reach = format_duration(window + windows.shortest_seconds)
    first = f"min(min_over_time({series.SEEN}{series.selector(slo)}[{reach}]))"
    return f"scalar(clamp(time() - {first}, 1, {window}))"


def _seen(slo: Slo, windows: Windows, of: str) -> list[Rule]:
    if not slo.policy.cold_start_as_warm:
        return []
    return [_record(slo, series.SEEN, f"timestamp({of}{series.selector(slo)})", windows.shortest_seconds)]


def _raw_sli(slo: Slo, sli: RawSli, windows: Windows) -> list[Rule]:
    """A raw ratio has no events: history can be weighed, a floor cannot."""
    shortest, rules = windows.shortest_seconds, []
    for window in windows.all_seconds:
        expr = f"({in_window(sli.error_ratio_query, window)}) >= 0"
        long = any(tier.long_seconds == window and slo.enabled(tier.severity) for tier in windows.tiers)
        if long and slo.policy.cold_start_as_warm:
            expr = f"({expr}) * {_history(slo, windows, window)} / {window}"
        rules.append(_record(slo, series.error_ratio(window), expr, window))
        if window == shortest:
            rules += _seen(slo, windows, series.error_ratio(shortest))
    return rules


def _current_burn(slo: Slo, windows: Windows) -> Rule:
    ratio = f"{series.error_ratio(windows.shortest_seconds)}{series.selector(slo)}"
    return _record(slo, series.CURRENT_BURN_RATE, f"{ratio} / {_budget_text(slo)}", windows.shortest_seconds)


def _constants(slo: Slo, windows: Windows) -> list[Rule]:
    info = {
        "sloth_mode": "fleetops",
        "sloth_spec": slo.spec_version,
        "sloth_objective": f"{slo.objective_percent}",
    }
    return [
        _record(slo, series.OBJECTIVE, f"vector({slo.objective_ratio})"),
        _record(slo, series.ERROR_BUDGET, f"vector({_budget_text(slo)})"),
        _record(slo, series.PERIOD_DAYS, f"vector({windows.period_seconds / 86400:g})"),
        _record(slo, series.INFO, "vector(1)", None, **info),
    ]


def _budget(slo: Slo, windows: Windows) -> list[Rule]:
    """The period's ratio weighted by events; idle time adds nothing to either side and leaves no NaN."""
    shortest, period = windows.shortest_seconds, format_duration(windows.period_seconds)
    pick = series.selector(slo)
    if isinstance(slo.sli, RawSli):
        ratio = f"avg_over_time({series.error_ratio(shortest)}{pick}[{period}])"
    else:
        error, total = (
            f"sum_over_time({name(shortest)}{pick}[{period}])" for name in (series.error_rate, series.total_rate)
        )
        ratio = f"{error}\n/\nclamp_min({total}, 1e-9)"
    whole = f"{series.error_ratio(windows.period_seconds)}{pick}"
    return [
        _record(slo, series.error_ratio(windows.period_seconds), ratio, windows.period_seconds),
        _record(slo, series.PERIOD_BURN_RATE, f"{whole} / {_budget_text(slo)}", windows.period_seconds),
        _record(slo, series.BUDGET_REMAINING, f"1 - {series.PERIOD_BURN_RATE}{pick}", windows.period_seconds),
    ]


def _budget_text(slo: Slo) -> str:
    """The budget as written in a rule. Without guards in Sloth's own arithmetic, so that even a tie falls alike."""
    return repr((100 - float(slo.objective_percent)) / 100) if slo.policy.plain else repr(slo.budget_ratio)


def _alert(slo: Slo, windows: Windows, severity: str) -> Rule:
    pick, budget = series.selector(slo), _budget_text(slo)
    pairs = []
    for tier in windows.of(severity):
        short, long = (
            f"{series.error_ratio(w)}{pick} > {tier.factor:g} * {budget}"
            for w in (tier.short_seconds, tier.long_seconds)
        )
        pairs.append(f"  (\n    {short}\n    and ignoring ({series.LABEL_WINDOW})\n    {long}\n  )")
    either = f"\n  or ignoring ({series.LABEL_WINDOW})\n".join(pairs)
    # Without the window's label, or the alert would change its identity when another tier takes over.
    expr = f"max without ({series.LABEL_WINDOW}) (\n{either}\n)"
    policy = slo.alerts[severity]
    # The ids come with the series anyway; written here, two SLOs under one alert name are no duplicate rules.
    labels = slo.alert_labels | policy.labels | _ids(slo) | {series.LABEL_SEVERITY: severity}
    who = f"{{{{$labels.{series.LABEL_SERVICE}}}}} {{{{$labels.{series.LABEL_SLO}}}}}"
    annotations = {
        "title": f"({severity}) {who} spends its error budget too fast",
        "summary": f"{who} burns more than its error budget allows",
    }
    return Rule("alert", slo.alert_name, expr, labels, annotations | slo.alert_annotations | policy.annotations)
