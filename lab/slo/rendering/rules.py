"""From an SLO and its windows to the rules Prometheus loads. Pure: no files, no clock.

Three groups an SLO. The first is evaluated at Prometheus's own interval, in this order, so that a page sees the ratios
of its own instant: the ratios of the page's windows, the page. The second holds the ticket's longer windows and the
ticket, the third the budget and the constants; both move slowly and are evaluated twice in the shortest window, which
spares most of the cost. Without guards (`--plain`) the ticket stands in the first group, as often evaluated as Sloth's.
"""

from __future__ import annotations

from lab.slo.burn_rate import reachable
from lab.slo.model import PAGE, SEVERITIES, TICKET, Slo, Windows
from lab.slo.rendering import series
from lab.slo.rendering.budget import budget, budget_text, constants, interval_seconds
from lab.slo.rendering.ratios import floor, ratio, seen
from lab.slo.rendering.rule import Group, Rule, ids
from lab.slo.specs.fields import refuse_at


def generate(slo: Slo, windows: Windows) -> list[Group]:
    """The groups of one SLO. Raises SpecError when a tier of an enabled alert can never fire."""
    refuse_unreachable(slo, windows)
    every = slo.intervals
    # No name of an SLO holds a colon, so none meets the group of another.
    slow, name = interval_seconds(windows), group_name(slo)
    paging = {w for tier in windows.of(PAGE) for w in (tier.short_seconds, tier.long_seconds)}
    quick = [
        *seen(slo, windows),
        *(rule for w in windows.all_seconds if w in paging for rule in ratio(slo, windows, w)),
    ]
    long = [rule for w in windows.all_seconds if w not in paging for rule in ratio(slo, windows, w)]
    alerts = {severity: [_alert(slo, windows, severity)] for severity in SEVERITIES if slo.enabled(severity)}
    page, ticket = alerts.get(PAGE, []), alerts.get(TICKET, [])
    if every.any:
        # The spec says how often: its three intervals are three groups, as in Sloth.
        found = [
            Group(name, (*quick, *long), every.sli_seconds),
            Group(f"{name}:alerts", (*page, *ticket), every.alert_seconds),
        ]
    elif slo.policy.plain:
        found = [Group(name, (*quick, *long, *page, *ticket))]
    else:
        found = [Group(name, (*quick, *page)), Group(f"{name}:ticket", (*long, *ticket), slow)]
    slow = every.metadata_seconds or slow
    found.append(Group(f"{name}:budget", (*constants(slo, windows), *budget(slo, windows, slow)), slow))
    return [group for group in found if group.rules]


def group_name(slo: Slo) -> str:
    """The SLO's first group; the others' names add a part after a colon."""
    return f"slo-{slo.sloth_id}"


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


def _alert(slo: Slo, windows: Windows, severity: str) -> Rule:
    pick, allowed = series.selector(slo), budget_text(slo)
    pairs = []
    for tier in windows.of(severity):
        conditions = [
            f"    {series.error_ratio(w)}{pick} > {tier.factor:g} * {allowed}"
            for w in (tier.short_seconds, tier.long_seconds)
        ]
        if enough := floor(slo, tier):
            conditions.append(f"    {enough}")
        both = f"\n    and ignoring ({series.LABEL_WINDOW})\n".join(conditions)
        pairs.append(f"  (\n{both}\n  )")
    either = f"\n  or ignoring ({series.LABEL_WINDOW})\n".join(pairs)
    # Without the window's label, or the alert would change its identity when another tier takes over.
    expr = f"max without ({series.LABEL_WINDOW}) (\n{either}\n)"
    policy = slo.alerts[severity]
    # The ids come with the series anyway; written here, two SLOs under one alert name are no duplicate rules.
    labels = slo.alert_labels | policy.labels | ids(slo) | {series.LABEL_SEVERITY: severity}
    who = f"{{{{$labels.{series.LABEL_SERVICE}}}}} {{{{$labels.{series.LABEL_SLO}}}}}"
    annotations = {
        "title": f"({severity}) {who} spends its error budget too fast",
        "summary": f"{who} burns more than its error budget allows",
    }
    return Rule("alert", slo.alert_name, expr, labels, annotations | slo.alert_annotations | policy.annotations)
