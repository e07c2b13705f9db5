"""Turns scenarios into proofs of which alerts fire at each instant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.slo.model import Slo
from lab.slo.prove.scenario import Scenario, firing_at, instants
from lab.slo.prove.testfile import Expectation, Proof
from lab.slo.prove.workload import input_series
from lab.slo.rendering import series


def prove_scenario(slos: Sequence[Slo], scenario: Scenario) -> Proof:
    """The proof of one scenario: at each instant exactly the predicted alerts fire."""
    names = {slo.sloth_id: slo.alert_name for slo in slos}
    expectations = [expectation for at in instants(scenario) for expectation in _alerts_at(scenario, names, at)]
    return Proof(
        scenario.title,
        scenario.cadence.step_seconds,
        input_series(slos, scenario.phases, scenario.cadence.step_seconds, without_errors=scenario.without_errors),
        expectations,
    )


def _alerts_at(scenario: Scenario, names: dict[str, str], at: int) -> Iterator[Expectation]:
    states = {key: firing_at(intervals, at, scenario.cadence) for key, intervals in scenario.fires.items()}
    firing = sorted((names[sloth_id], severity) for (sloth_id, severity), state in states.items() if state)
    samples = [({"alertname": name, series.LABEL_SEVERITY: severity}, 1.0) for name, severity in firing]
    alerts = 'ALERTS{alertstate="firing"}'
    if None not in states.values():
        yield Expectation(at, firing_count(alerts), samples)
        return
    for severity in sorted({severity for _, severity in states}):
        decided = sorted(
            {names[sloth_id] for (sloth_id, other), state in states.items() if other == severity and state is not None}
        )
        if decided:
            matchers = f'alertname=~"{"|".join(decided)}",{series.LABEL_SEVERITY}="{severity}"'
            selected = f'ALERTS{{alertstate="firing",{matchers}}}'
            expected = [sample for sample in samples if sample[0][series.LABEL_SEVERITY] == severity]
            yield Expectation(at, firing_count(selected), expected)


def firing_count(alerts: str) -> str:
    """PromQL for the number of firing alerts by name and severity."""
    return f"count by (alertname, {series.LABEL_SEVERITY}) ({alerts})"
