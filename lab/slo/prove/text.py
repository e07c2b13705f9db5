"""Proofs of what is told: an alert's every word, every recorded series, and the remaining budget."""

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
    """The remaining budget is 1 - bad / all / budget · part of the period seen, whatever the traffic did."""
    unit = windows.of(PAGE)[0].long_seconds
    # Requests per second, burn rate. A young service after one bad hour: without the part seen, -500 % remained.
    story = ((200_000.0, 18.0), (1_000_000.0, 6.0), (0.0, 0.0), (400_000.0, 0.0))
    phases = [
        Phase(unit, {slo.sloth_id: burn * slo.budget_ratio for slo in slos}, per_second=rate) for rate, burn in story
    ]
    until = unit * len(story)
    # Latency is of successful requests, of which there are fewer by the failed ones: within the tolerance.
    spent = sum(rate * burn for rate, burn in story) / sum(rate for rate, _ in story) * until / windows.period_seconds
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
        told = [rule for rule in rules if rule.kind == "alert"]
        if told:
            expected = [_alert_text(slo, rule, rate * slo.budget_ratio) for rule in told]
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
    labels = slo.labels | {series.LABEL_ID: slo.sloth_id, series.LABEL_SERVICE: slo.service, series.LABEL_SLO: slo.name}
    labels |= rule.labels

    def expand(match: re.Match[str]) -> str:
        what = match.group(1)
        if what == "$externalLabels.site":
            return SITE
        if what == "$value | humanizePercentage":
            return f"{bad_ratio * 100:.4g}%"
        if what.startswith("$labels.") and what.removeprefix("$labels.") in labels:
            return labels[what.removeprefix("$labels.")]
        raise LabError(f"{slo.sloth_id}: no proof for the annotation template {match.group()}; use a plainer one")

    return labels, {name: _TEMPLATE.sub(expand, text) for name, text in rule.annotations.items()}
