"""Generates the rules that Prometheus loads from an SLO and its windows. Pure: no files, no clock.

There are three groups per SLO. The first contains the ratios of the page's windows, then the page, so that the alert
uses ratios of the same evaluation; it runs at Prometheus's global interval. The second contains the ticket's longer
windows and the ticket, the third the budget and the constants; both change slowly and run twice per shortest window,
which saves most of the cost. Without guards (`--plain`) the ticket is in the first group and runs as often as Sloth's.
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
    intervals = slo.intervals
    # SLO names contain no colon, so the groups of two SLOs never share a name.
    slow, name = interval_seconds(windows), group_name(slo)
    paging = {w for tier in windows.of(PAGE) for w in (tier.short_seconds, tier.long_seconds)}
    quick = [
        *seen(slo, windows),
        *(rule for w in windows.all_seconds if w in paging for rule in ratio(slo, windows, w)),
    ]
    long = [rule for w in windows.all_seconds if w not in paging for rule in ratio(slo, windows, w)]
    alerts = {severity: [_alert(slo, windows, severity)] for severity in SEVERITIES if slo.enabled(severity)}
    page, ticket = alerts.get(PAGE, []), alerts.get(TICKET, [])
    if intervals.any:
        # The spec sets three intervals for three groups, as in Sloth.
        groups = [
            Group(name, (*quick, *long), intervals.sli_seconds),
            Group(f"{name}:alerts", (*page, *ticket), intervals.alert_seconds),
        ]
    elif slo.policy.plain:
        groups = [Group(name, (*quick, *long, *page, *ticket))]
    else:
        groups = [Group(name, (*quick, *page)), Group(f"{name}:ticket", (*long, *ticket), slow)]
    slow = intervals.metadata_seconds or slow
    groups.append(Group(f"{name}:budget", (*constants(slo, windows), *budget(slo, windows, slow)), slow))
    return [group for group in groups if group.rules]


def group_name(slo: Slo) -> str:
    """The name of the SLO's first group; the others append `:` and a suffix."""
    return f"slo-{slo.sloth_id}"


def refuse_unreachable(slo: Slo, windows: Windows) -> None:
    """Raise SpecError, naming the tier, when even a bad ratio of 1 would not trip it."""
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
    # Without the window label, because otherwise the alert's labels would change when another tier fires.
    expr = f"max without ({series.LABEL_WINDOW}) (\n{either}\n)"
    policy = slo.alerts[severity]
    # The series have the id labels anyway; on the rule, they keep two SLOs with one alert name from being duplicates.
    labels = slo.alert_labels | policy.labels | ids(slo) | {series.LABEL_SEVERITY: severity}
    who = f"{{{{$labels.{series.LABEL_SERVICE}}}}} {{{{$labels.{series.LABEL_SLO}}}}}"
    annotations = {
        "title": f"({severity}) {who} spends its error budget too fast",
        "summary": f"{who} burns more than its error budget allows",
    }
    return Rule("alert", slo.alert_name, expr, labels, annotations | slo.alert_annotations | policy.annotations)
