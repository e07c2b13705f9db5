"""Proofs beside the burn rates: silence where there is nothing to say, a budget without NaN, an alert's every word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from lab.errors import LabError
from lab.slo import series
from lab.slo.burn_rate import alert_intervals
from lab.slo.durations import format_duration
from lab.slo.model import PAGE, SEVERITIES, EventsSli, Slo, Windows
from lab.slo.prove.burns import firing_count, prove_scenario
from lab.slo.prove.scenario import Cadence, Scenario, cadences
from lab.slo.prove.testfile import SITE, Expectation, ExpectedAlerts, Proof
from lab.slo.prove.workload import Phase, input_series
from lab.slo.rules import Rule, generate

FIRING = 'ALERTS{alertstate="firing"}'
_TEMPLATE = re.compile(r"\{\{\s*(.*?)\s*\}\}")


def guard_proofs(slos: Sequence[Slo], windows: Windows) -> Iterator[Proof]:
    """The proofs of one service about idle, young, dead and nearly idle times."""
    cadence = cadences(windows)["quick"]
    long = windows.of(PAGE)[0].long_seconds
    yield _silent(slos, windows, "idle time alerts nobody and leaves the budget whole", cadence,
                  [Phase(long // 4), Phase(long // 2, per_second=0)])  # fmt: skip
    yield _silent(slos, windows, "a service that never had a request has its whole budget", cadence,
                  [Phase(long // 2, per_second=0)])  # fmt: skip
    yield _silent(slos, windows, "before the first failure there is no counter, and the budget is whole", cadence,
                  [Phase(long // 2)], without_errors=True)  # fmt: skip
    yield _silent(slos, windows, "dead targets burn no budget (TargetDown tells of them)", cadence,
                  [Phase(long // 4), Phase(long // 2, present=False)])  # fmt: skip
    yield _few_failures(slos, windows, cadence)
    yield _outage(slos, windows, cadence)
    yield _return(slos, windows, cadence)
    yield _relabelled(slos, windows, cadence)


def _silent(
    slos: Sequence[Slo],
    windows: Windows,
    title: str,
    cadence: Cadence,
    phases: list[Phase],
    *,
    without_errors: bool = False,
) -> Proof:
    """Nobody is told at any time; the remaining budget is 1 and never NaN."""
    until = sum(phase.seconds for phase in phases)
    counters = input_series(slos, phases, cadence.step_seconds, without_errors=without_errors)
    checks = [Expectation(at, firing_count(FIRING)) for at in range(until // 4, until + 1, until // 4)]
    whole = [(_labels(slo, windows), 1.0) for slo in slos]
    checks += [
        Expectation(
            until,
            f"{series.BUDGET_REMAINING} == 1",
            [({"__name__": series.BUDGET_REMAINING} | labels, one) for labels, one in whole],
        ),
        Expectation(until, f"{series.PERIOD_BURN_RATE} != {series.PERIOD_BURN_RATE}"),
    ]
    return Proof(title, cadence.step_seconds, counters, checks)


def _few_failures(slos: Sequence[Slo], windows: Windows, cadence: Cadence) -> Proof:
    """Ten requests in a long window: one failure is nobody's business, as many as the policy's floor are."""
    quick = windows.of(PAGE)[0]
    floor = max(slo.policy.min_bad_events for slo in slos)
    rate = 10 / quick.long_seconds
    wait = (quick.short_seconds // cadence.step_seconds - 1) * cadence.step_seconds
    phases = [
        Phase(quick.long_seconds, per_second=rate),
        Phase(wait, per_second=rate, burst=1),
        Phase(wait, per_second=rate, burst=floor - 1),
    ]
    after_one = quick.long_seconds + 2 * cadence.step_seconds
    after_all = quick.long_seconds + wait + 3 * cadence.step_seconds
    loud = [slo for slo in slos if floor / (10 + floor) > quick.factor * slo.budget_ratio]
    pages = [({"alertname": slo.alert_name, series.LABEL_SEVERITY: PAGE}, 1.0) for slo in loud]
    paging = f'ALERTS{{alertstate="firing",{series.LABEL_SEVERITY}="{PAGE}"}}'
    return Proof(
        f"on a nearly idle service one failure pages nobody, {floor} do",
        cadence.step_seconds,
        input_series(slos, phases, cadence.step_seconds),
        [
            Expectation(after_one, firing_count(FIRING)),
            Expectation(quick.long_seconds + wait, firing_count(FIRING)),
            Expectation(after_all, firing_count(paging), sorted(pages, key=lambda sample: sample[0]["alertname"])),
        ],
    )


def _outage(slos: Sequence[Slo], windows: Windows, cadence: Cadence) -> Proof:
    """Every request fails for a sixth of the quick window; then the slow tier holds the page."""
    quick, slow = windows.of(PAGE)
    seconds = quick.long_seconds // 6
    failing = [
        slo for slo in slos if isinstance(slo.sli, EventsSli) and " - " not in " ".join(slo.sli.error_query.split())
    ]
    phases = (
        Phase(quick.long_seconds // 4),
        Phase(seconds, {slo.sloth_id: 1.0 for slo in failing}),
        Phase(slow.short_seconds + 4 * cadence.allowance_seconds),
    )
    fires = {
        (slo.sloth_id, severity): alert_intervals(
            windows.of(severity),
            slo.budget_ratio,
            [(phase.seconds, 1.0 if slo in failing and index == 1 else 0.0) for index, phase in enumerate(phases)],
        )
        for slo in slos
        for severity in SEVERITIES
        if slo.enabled(severity)
    }
    title = f"a total outage of {format_duration(seconds)} pages at once and resolves when the slow tier lets go"
    return prove_scenario(slos, Scenario(title, cadence, phases, fires, sum(phase.seconds for phase in phases)))


def _return(slos: Sequence[Slo], windows: Windows, cadence: Cadence) -> Proof:
    """After an absence longer than the quick window, its history is missing again and counts as good again."""
    quick = windows.of(PAGE)[0]
    rate = min(1.25 * quick.factor, 0.98 / max(slo.budget_ratio for slo in slos))
    burn = round(quick.long_seconds * quick.factor / rate) + 4 * cadence.allowance_seconds
    burn -= burn % cadence.step_seconds
    absent = quick.long_seconds + 2 * quick.short_seconds
    bad = {slo.sloth_id: rate * slo.budget_ratio for slo in slos}
    before = quick.long_seconds // 4
    phases = (Phase(before), Phase(absent, present=False), Phase(burn, bad))
    start = before + absent
    fires = {
        (slo.sloth_id, severity): alert_intervals(
            windows.of(severity), slo.budget_ratio, [(start, 0.0), (burn, rate * slo.budget_ratio)]
        )
        for slo in slos
        for severity in SEVERITIES
        if slo.enabled(severity)
    }
    title = "a service that comes back after an absence is judged as a warm one"
    return prove_scenario(slos, Scenario(title, cadence, phases, fires, start + burn))


def _relabelled(slos: Sequence[Slo], windows: Windows, cadence: Cadence) -> Proof:
    """After a spec's labels have changed, the SLI's history stands under two names and is still one history."""
    quick = windows.of(PAGE)[0]
    rate = min(1.25 * quick.factor, 0.98 / max(slo.budget_ratio for slo in slos))
    late, burn = quick.long_seconds // 4, round(quick.long_seconds * quick.factor / rate)
    burn += 4 * cadence.allowance_seconds
    burn -= burn % cadence.step_seconds
    fires = {
        (slo.sloth_id, severity): alert_intervals(
            windows.of(severity), slo.budget_ratio, [(late, 0.0), (burn, rate * slo.budget_ratio)]
        )
        for slo in slos
        for severity in SEVERITIES
        if slo.enabled(severity)
    }
    phases = (Phase(late), Phase(burn, {slo.sloth_id: rate * slo.budget_ratio for slo in slos}))
    title = "labels that changed on the way do not make the history young"
    proof = prove_scenario(slos, Scenario(title, cadence, phases, fires, late + burn))
    steps = late // cadence.step_seconds
    later = f"_x{steps} {late}+{cadence.step_seconds}x{burn // cadence.step_seconds}"
    former = {f'{series.SEEN}{{owner="former",{series.LABEL_ID}="{slo.sloth_id}"}}': later for slo in slos}
    return replace(proof, series={**proof.series, **former})


def _budget(slos: Sequence[Slo], windows: Windows, cadence: Cadence) -> Proof:
    """The remaining budget is 1 - bad / all / budget, whatever the traffic did, within 1 % of the budget."""
    unit = 2 * windows.of(PAGE)[0].long_seconds
    story = ((200_000.0, 3.0), (1_000_000.0, 0.5), (0.0, 0.0), (400_000.0, 0.0))  # requests per second, burn rate
    phases = [
        Phase(unit, {slo.sloth_id: burn * slo.budget_ratio for slo in slos}, per_second=rate) for rate, burn in story
    ]
    until = unit * len(story)
    # Latency is of successful requests, of which there are fewer by the failed ones: within the tolerance.
    spent = sum(rate * burn for rate, burn in story) / sum(rate for rate, _ in story)
    expr = f"abs({series.BUDGET_REMAINING} - {1 - spent:.6g}) < bool 0.01"
    counters = input_series(slos, phases, cadence.step_seconds)
    checks = [Expectation(until, expr, [(_labels(slo, windows), 1.0) for slo in slos])]
    return Proof(
        "the budget is weighted by events: busy hours count more, idle ones nothing",
        cadence.step_seconds,
        counters,
        checks,
    )


def text_proofs(slos: Sequence[Slo], windows: Windows) -> Iterator[Proof]:
    """Every label and annotation of every alert, and every recorded series with all its labels."""
    cadence = cadences(windows)["slow"]
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


def _labels(slo: Slo, windows: Windows) -> dict[str, str]:
    rules = (rule for group in generate(slo, windows) for rule in group.rules)
    return next(rule.labels for rule in rules if rule.name == series.BUDGET_REMAINING)
