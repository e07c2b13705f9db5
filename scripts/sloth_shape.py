"""The rules that Sloth v0.16 generates for an SLO, for comparison with ours, reproduced from its golden output.

Three groups: the ratios of every window and of the period, seven metadata series, and the alerts. Only what Prometheus
evaluates is reproduced, not Sloth's header and default annotations.
"""

from __future__ import annotations

from typing import Any

from lab.slo.durations import format_duration
from lab.slo.model import SEVERITIES, EventsSli, Slo, Windows
from lab.slo.rendering.ratios import in_window


def groups(slo: Slo, windows: Windows, *, ident: str | None = None) -> list[dict[str, Any]]:
    """Sloth's rule groups as Prometheus loads them; `ident` replaces the SLO's id, so that both sets can be loaded."""
    ident = ident or slo.sloth_id
    labels = slo.labels | {"sloth_id": ident, "sloth_service": slo.service, "sloth_slo": slo.name}
    pick = f'{{sloth_id="{ident}", sloth_service="{slo.service}", sloth_slo="{slo.name}"}}'
    alerts = [_alert(slo, windows, severity, pick) for severity in SEVERITIES if slo.enabled(severity)]
    recordings: list[dict[str, Any]] = [
        {"name": f"sloth-slo-sli-recordings-{ident}", "rules": _ratios(slo, windows, labels, pick)},
        {"name": f"sloth-slo-meta-recordings-{ident}", "rules": _metadata(slo, windows, labels, pick)},
    ]
    return [*recordings, {"name": f"sloth-slo-alerts-{ident}", "rules": alerts}] if alerts else recordings


def _ratios(slo: Slo, windows: Windows, labels: dict[str, str], pick: str) -> list[dict[str, Any]]:
    shortest, period = (format_duration(s) for s in (windows.shortest_seconds, windows.period_seconds))
    rules: list[dict[str, Any]] = []
    for seconds in windows.all_seconds:
        if isinstance(slo.sli, EventsSli):
            bad, events = (in_window(query, seconds) for query in (slo.sli.error_query, slo.sli.total_query))
            expr = f"({bad})\n/\n({events})"
        else:
            expr = f"({in_window(slo.sli.error_ratio_query, seconds)})"
        window = format_duration(seconds)
        rules.append(
            {"record": f"slo:sli_error:ratio_rate{window}", "expr": expr, "labels": labels | {"sloth_window": window}}
        )
    base = f"slo:sli_error:ratio_rate{shortest}{pick}[{period}]"
    mean = f"sum_over_time({base})\n/ ignoring (sloth_window)\ncount_over_time({base})"
    rules.append({"record": f"slo:sli_error:ratio_rate{period}", "expr": mean, "labels": {"sloth_window": period}})
    return rules


def _metadata(slo: Slo, windows: Windows, labels: dict[str, str], pick: str) -> list[dict[str, Any]]:
    shortest, period = (format_duration(s) for s in (windows.shortest_seconds, windows.period_seconds))
    objective = float(slo.objective_percent) / 100
    over_budget = f"/ on(sloth_id, sloth_slo, sloth_service) group_left\nslo:error_budget:ratio{pick}"
    info = labels | {"sloth_mode": "cli-gen-prom", "sloth_objective": f"{slo.objective_percent}"}
    expressions = {
        "slo:objective:ratio": f"vector({objective})",
        "slo:error_budget:ratio": f"vector(1-{objective})",
        "slo:time_period:days": f"vector({windows.period_seconds / 86400:g})",
        "slo:current_burn_rate:ratio": f"slo:sli_error:ratio_rate{shortest}{pick}\n{over_budget}",
        "slo:period_burn_rate:ratio": f"slo:sli_error:ratio_rate{period}{pick}\n{over_budget}",
        "slo:period_error_budget_remaining:ratio": f"1 - slo:period_burn_rate:ratio{pick}",
        "sloth_slo_info": "vector(1)",
    }
    return [
        {"record": name, "expr": expr, "labels": info if name == "sloth_slo_info" else labels}
        for name, expr in expressions.items()
    ]


def _alert(slo: Slo, windows: Windows, severity: str, pick: str) -> dict[str, Any]:
    budget = (100 - float(slo.objective_percent)) / 100
    pairs = []
    for tier in windows.of(severity):
        sides = [
            f"(slo:sli_error:ratio_rate{format_duration(seconds)}{pick} > ({tier.factor:g} * {budget}))"
            for seconds in (tier.short_seconds, tier.long_seconds)
        ]
        pairs.append(f"(\n{sides[0]}\nand ignoring (sloth_window)\n{sides[1]}\n)")
    return {
        "alert": slo.alert_name,
        "expr": "\nor ignoring (sloth_window)\n".join(pairs),
        "labels": slo.alert_labels | slo.alerts[severity].labels | {"sloth_severity": severity},
        "annotations": slo.alert_annotations | slo.alerts[severity].annotations,
    }
