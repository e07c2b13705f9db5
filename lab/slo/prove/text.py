"""Proofs of alert text, recorded series and the remaining budget."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lab.errors import LabError
from lab.slo.model import PAGE, Slo, Windows
from lab.slo.prove.edge_cases import budget_labels
from lab.slo.prove.scenario import Cadence, cadences
from lab.slo.prove.testfile import SITE, Expectation, ExpectedAlerts, Proof
from lab.slo.prove.workload import Phase, input_series
from lab.slo.rendering import series
from lab.slo.rendering.rule import Rule
from lab.slo.rendering.rules import generate

_TEMPLATE = re.compile(r"\{\{\s*(.*?)\s*\}\}")


def _budget(slos: Sequence[Slo], windows: Windows, cadence: Cadence) -> Proof:
    """The remaining budget is 1 - bad / all / budget · fraction of the period with data, for any traffic."""
    unit = windows.of(PAGE)[0].long_seconds
    # (requests per second, burn rate) of a new service with one bad hour. Without the factor for the fraction of the
    # period with data, -500 % would remain.
    traffic = ((200_000.0, 18.0), (1_000_000.0, 6.0), (0.0, 0.0), (400_000.0, 0.0))
    phases = [
        Phase(unit, {slo.sloth_id: burn * slo.budget_ratio for slo in slos}, per_second=rate) for rate, burn in traffic
    ]
    until = unit * len(traffic)
    mean_burn = sum(rate * burn for rate, burn in traffic) / sum(rate for rate, _ in traffic)
    # Latency SLOs count successful requests only, so failures change their total slightly: within the tolerance.
    spent = mean_burn * until / windows.period_seconds
    expr = f"abs({series.BUDGET_REMAINING} - {1 - spent:.6g}) < bool {spent / 50:.3g}"
    counters = input_series(slos, phases, cadence.step_seconds)
    checks = [Expectation(until, expr, [(budget_labels(slo, windows), 1.0) for slo in slos])]
    return Proof(
        "the budget is weighted by events, and what was not seen of the period counts as good",
        cadence.step_seconds,
        counters,
        checks,
    )


def text_proofs(slos: Sequence[Slo], windows: Windows) -> Iterator[Proof]:
    """Every label and annotation of every alert, and every recorded series with all its labels."""
    cadence = cadences(windows)["text"]
    rate = min(1.25 * windows.of(PAGE)[0].factor, 0.98 / max(slo.budget_ratio for slo in slos))
    longest = windows.of("ticket")[1]
    burn = round(1.1 * longest.long_seconds * longest.factor / rate)
    burn -= burn % cadence.step_seconds
    phases = [Phase(burn, {slo.sloth_id: rate * slo.budget_ratio for slo in slos})]
    alerts, checks = [], []
    for slo in slos:
        rules = [rule for group in generate(slo, windows) for rule in group.rules]
        alerting = [rule for rule in rules if rule.kind == "alert"]
        if alerting:
            expected = [_alert_text(slo, rule, rate * slo.budget_ratio) for rule in alerting]
            alerts.append(ExpectedAlerts(burn, slo.alert_name, expected))
        checks += [
            Expectation(
                burn,
                f"count without (__value__) ({rule.name}{series.selector(slo)})",
                [(rule.labels, 1.0)],
            )
            for rule in rules
            if rule.kind == "record"
        ]
    title = "a burn that pages and tickets says what is wrong, where to look and what to do"
    yield Proof(title, cadence.step_seconds, input_series(slos, phases, cadence.step_seconds), checks, alerts)
    yield _budget(slos, windows, cadence)


def _alert_text(slo: Slo, rule: Rule, bad_ratio: float) -> tuple[dict[str, str], dict[str, str]]:
    """The labels and the expanded annotations of an alert. Raises LabError for a template it cannot expand."""
    labels = slo.labels | {series.LABEL_ID: slo.sloth_id, series.LABEL_SERVICE: slo.service, series.LABEL_SLO: slo.name}
    labels |= rule.labels

    def expand(match: re.Match[str]) -> str:
        template = match.group(1)
        if template == "$externalLabels.site":
            return SITE
        if template == "$value | humanizePercentage":
            return f"{bad_ratio * 100:.4g}%"
        if template.startswith("$labels.") and template.removeprefix("$labels.") in labels:
            return labels[template.removeprefix("$labels.")]
        raise LabError(f"{slo.sloth_id}: no proof for the annotation template {match.group()}; use a simpler one")

    return labels, {name: _TEMPLATE.sub(expand, text) for name, text in rule.annotations.items()}
