"""Proofs of edge cases: idle, new, dead and nearly idle services, absences, outages and changed labels.

The titles are part of the generated test files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from lab.slo.burn_rate import alert_intervals
from lab.slo.durations import format_duration
from lab.slo.model import PAGE, SEVERITIES, EventsSli, Slo, Windows
from lab.slo.prove.burns import firing_count, prove_scenario
from lab.slo.prove.scenario import Cadence, Scenario, cadences
from lab.slo.prove.testfile import Expectation, Proof
from lab.slo.prove.workload import Phase, input_series
from lab.slo.rendering import series
from lab.slo.rendering.rules import generate

FIRING = 'ALERTS{alertstate="firing"}'


def guard_proofs(slos: Sequence[Slo], windows: Windows) -> Iterator[Proof]:
    """The proofs of one service's edge cases."""
    cadence = cadences(windows)["guards"]
    long = windows.of(PAGE)[0].long_seconds
    yield _silent(slos, windows, "idle time fires no alert and consumes no budget", cadence,
                  [Phase(long // 6), Phase(long // 4, per_second=0)])  # fmt: skip
    yield _silent(slos, windows, "a service that never had a request has its whole budget", cadence,
                  [Phase(long // 4, per_second=0)])  # fmt: skip
    yield _silent(slos, windows, "before the first failure there is no counter, and the budget is whole", cadence,
                  [Phase(long // 4)], without_errors=True)  # fmt: skip
    yield _silent(slos, windows, "dead targets consume no budget; TargetDown fires instead", cadence,
                  [Phase(long // 6), Phase(long // 4, present=False)])  # fmt: skip
    yield _bucket_ahead_of_count(slos, windows, cadence)
    yield _few_failures(slos, windows, cadence)
    yield _burn_after_idle(slos, windows, cadence)
    yield _total_outage(slos, windows, cadence)
    yield _failures_and_slowness(slos, windows, cadence)
    yield _burn_after_absence(slos, windows, cadence)
    yield _changed_labels(slos, windows, cadence)


def _silent(
    slos: Sequence[Slo],
    windows: Windows,
    title: str,
    cadence: Cadence,
    phases: list[Phase],
    *,
    without_errors: bool = False,
) -> Proof:
    """No alert fires at any time; the remaining budget is 1 and never NaN."""
    until = sum(phase.seconds for phase in phases)
    counters = input_series(slos, phases, cadence.step_seconds, without_errors=without_errors)
    checks = [Expectation(at, firing_count(FIRING)) for at in range(until // 4, until + 1, until // 4)]
    # A service with traffic at the end has a ratio of 0, also before its first failure; an idle or dead one has none.
    active = slos if phases[-1].present and phases[-1].per_second else []
    current, long = (series.error_ratio(w) for w in (windows.shortest_seconds, windows.of(PAGE)[0].long_seconds))
    checks += [
        *(
            Expectation(until, f"count by ({series.LABEL_ID}) ({ratio} == 0)", _one_sample_per_slo(active))
            for ratio in ((current, long) if active else (current,))
        ),
        Expectation(until, f"count by ({series.LABEL_ID}) ({current} != 0)"),
        Expectation(
            until,
            f"{series.BUDGET_REMAINING} == 1",
            [({"__name__": series.BUDGET_REMAINING} | budget_labels(slo, windows), 1.0) for slo in slos],
        ),
        Expectation(until, f"{series.PERIOD_BURN_RATE} != {series.PERIOD_BURN_RATE}"),
    ]
    return Proof(title, cadence.step_seconds, counters, checks)


def _one_sample_per_slo(slos: Sequence[Slo]) -> list[tuple[dict[str, str], float]]:
    """A sample of 1 for each SLO, labelled with its id."""
    return [({series.LABEL_ID: sloth_id}, 1.0) for sloth_id in sorted(slo.sloth_id for slo in slos)]


def _bucket_ahead_of_count(slos: Sequence[Slo], windows: Windows, cadence: Cadence) -> Proof:
    """A bucket is read slightly ahead of its count: bad events are just below zero, and the ratio is 0."""
    until = windows.of(PAGE)[0].long_seconds // 4
    proof = _silent(slos, windows, "a bucket slightly ahead of its count counts as good", cadence, [Phase(until)])
    behind = Phase(until, per_second=Phase.per_second - 1000)
    slower = input_series(slos, [behind], cadence.step_seconds)
    counters = {name: slower[name] if "_bucket{" not in name else values for name, values in proof.series.items()}
    return replace(proof, series=counters)


def _few_failures(slos: Sequence[Slo], windows: Windows, cadence: Cadence) -> Proof:
    """Ten requests in a long window: fewer failures than the policy's floor fire no alert, as many as the floor do."""
    quick = windows.of(PAGE)[0]
    floor = max(slo.policy.min_bad_events for slo in slos)
    rate = 10 / quick.long_seconds
    wait = (quick.short_seconds // cadence.step_seconds - 1) * cadence.step_seconds
    phases = [
        Phase(quick.long_seconds, per_second=rate),
        Phase(wait, per_second=rate, burst=floor - 1),
        Phase(wait, per_second=rate, burst=1),
    ]
    after_few = cadence.next_evaluation(quick.long_seconds + 2 * cadence.step_seconds)
    after_all = cadence.next_evaluation(quick.long_seconds + wait + 3 * cadence.step_seconds)
    paged = [slo for slo in slos if floor / (10 + floor) > quick.factor * slo.budget_ratio]
    pages = [({"alertname": slo.alert_name, series.LABEL_SEVERITY: PAGE}, 1.0) for slo in paged]
    paging = f'ALERTS{{alertstate="firing",{series.LABEL_SEVERITY}="{PAGE}"}}'
    return Proof(
        f"on a nearly idle service {floor - 1} failures fire no alert, {floor} page",
        cadence.step_seconds,
        input_series(slos, phases, cadence.step_seconds),
        [
            Expectation(after_few, firing_count(FIRING)),
            Expectation(after_all, firing_count(paging), sorted(pages, key=lambda sample: sample[0]["alertname"])),
        ],
    )


def _burn_after_idle(slos: Sequence[Slo], windows: Windows, cadence: Cadence) -> Proof:
    """Idle history counts as seen, so a burn after it is all that the window contains, and pages at once."""
    quick = windows.of(PAGE)[0]
    rate = min(1.25 * quick.factor, 0.98 / max(slo.budget_ratio for slo in slos))
    idle = quick.long_seconds
    phases = [
        Phase(idle, per_second=0),
        Phase(cadence.allowance_seconds, {slo.sloth_id: rate * slo.budget_ratio for slo in slos}),
    ]
    pages = [({"alertname": slo.alert_name, series.LABEL_SEVERITY: PAGE}, 1.0) for slo in slos if slo.enabled(PAGE)]
    paging = f'ALERTS{{alertstate="firing",{series.LABEL_SEVERITY}="{PAGE}"}}'
    return Proof(
        "after an idle hour a burn pages at once, because the window holds nothing else",
        cadence.step_seconds,
        input_series(slos, phases, cadence.step_seconds),
        [
            Expectation(idle, firing_count(FIRING)),
            Expectation(idle + cadence.allowance_seconds, firing_count(paging), pages),
        ],
    )


def _failures(slos: Sequence[Slo]) -> list[Slo]:
    """The SLOs whose bad events are failures; those of the others are slow successful requests."""
    return [
        slo for slo in slos if isinstance(slo.sli, EventsSli) and " - " not in " ".join(slo.sli.error_query.split())
    ]


def _total_outage(slos: Sequence[Slo], windows: Windows, cadence: Cadence) -> Proof:
    """Every request fails for a sixth of the fast-burn window; afterwards the slow-burn tier keeps the page firing."""
    span = format_duration(windows.of(PAGE)[0].long_seconds // 6)
    title = f"a total outage of {span} pages at once and resolves when the slow-burn tier clears"
    return _degradation(title, slos, windows, cadence, {slo.sloth_id: 1.0 for slo in _failures(slos)})


def _failures_and_slowness(slos: Sequence[Slo], windows: Windows, cadence: Cadence) -> Proof:
    """A few requests fail and nearly all others are slow: each SLO fires at its own instant, or never."""
    failures = _failures(slos)
    # Few, because each failed request is missing from the successful ones, whose traffic must stay steady.
    bad = {slo.sloth_id: 0.02 if slo in failures else 0.98 for slo in slos}
    return _degradation("2 % fail and 98 % of the others are slow", slos, windows, cadence, bad)


def _degradation(
    title: str, slos: Sequence[Slo], windows: Windows, cadence: Cadence, bad: Mapping[str, float]
) -> Proof:
    """Bad ratios for a sixth of the quick window, with only good events before and after."""
    quick, slow = windows.of(PAGE)
    phases = (
        Phase(quick.long_seconds // 12),
        Phase(quick.long_seconds // 6, bad),
        Phase(slow.short_seconds + 4 * cadence.allowance_seconds),
    )
    fires = {
        (slo.sloth_id, severity): alert_intervals(
            windows.of(severity),
            slo.budget_ratio,
            [(phase.seconds, phase.bad.get(slo.sloth_id, 0.0)) for phase in phases],
        )
        for slo in slos
        for severity in SEVERITIES
        if slo.enabled(severity)
    }
    return prove_scenario(slos, Scenario(title, cadence, phases, fires, sum(phase.seconds for phase in phases)))


def _burn_after_absence(slos: Sequence[Slo], windows: Windows, cadence: Cadence) -> Proof:
    """After an absence longer than the quick window, its history is missing and counts as good, as after a start."""
    quick = windows.of(PAGE)[0]
    rate = min(1.25 * quick.factor, 0.98 / max(slo.budget_ratio for slo in slos))
    burn = round(quick.long_seconds * quick.factor / rate) + 4 * cadence.allowance_seconds
    burn -= burn % cadence.step_seconds
    absent = quick.long_seconds + 2 * quick.short_seconds
    bad = {slo.sloth_id: rate * slo.budget_ratio for slo in slos}
    before = quick.long_seconds // 12
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


def _changed_labels(slos: Sequence[Slo], windows: Windows, cadence: Cadence) -> Proof:
    """After a spec's labels change, the SLI's history has two label sets and still counts as one history."""
    quick = windows.of(PAGE)[0]
    rate = min(1.25 * quick.factor, 0.98 / max(slo.budget_ratio for slo in slos))
    before, burn = quick.long_seconds // 6, round(quick.long_seconds * quick.factor / rate)
    burn += 4 * cadence.allowance_seconds
    burn -= burn % cadence.step_seconds
    fires = {
        (slo.sloth_id, severity): alert_intervals(
            windows.of(severity), slo.budget_ratio, [(before, 0.0), (burn, rate * slo.budget_ratio)]
        )
        for slo in slos
        for severity in SEVERITIES
        if slo.enabled(severity)
    }
    phases = (Phase(before), Phase(burn, {slo.sloth_id: rate * slo.budget_ratio for slo in slos}))
    title = "labels that change do not reset the history"
    proof = prove_scenario(slos, Scenario(title, cadence, phases, fires, before + burn))
    steps, more, shortest = before // cadence.step_seconds, burn // cadence.step_seconds, windows.shortest_seconds
    values = {
        series.SEEN: f"_x{steps} {before}+{cadence.step_seconds}x{more}",
        series.error_rate(shortest): f"0+0x{steps + more}",
        series.total_rate(shortest): f"1+0x{steps + more}",
    }
    former = {
        f'{name}{{owner="former",{series.LABEL_ID}="{slo.sloth_id}"}}': text
        for slo in slos
        for name, text in values.items()
    }
    one_budget_each = Expectation(before + burn, f"count({series.BUDGET_REMAINING})", [({}, float(len(slos)))])
    return replace(proof, series={**proof.series, **former}, expectations=[*proof.expectations, one_budget_each])


def budget_labels(slo: Slo, windows: Windows) -> dict[str, str]:
    """The labels of the series of an SLO's remaining budget."""
    rules = (rule for group in generate(slo, windows) for rule in group.rules)
    return next(rule.labels for rule in rules if rule.name == series.BUDGET_REMAINING)
