"""One definition for each figure: the mitigating change, the durations and the budget."""

from __future__ import annotations

import json
from typing import Any

import documents
import pytest

from lab.clients.documents import AuditRow
from lab.drills.evidence import definitions
from lab.drills.evidence.definitions import Change
from lab.drills.evidence.milestones import changes
from lab.drills.schema.figures import BUDGET_MEANS, FIGURES, RUN_MEANS, acknowledgement
from lab.drills.schema.record import RECORD_SCHEMA
from lab.slo.catalogue import LAB, find_slo, load_windows
from lab.slo.replay import Counts

BREAKER = ("breakers gateway user", "off", "open")


def change(at: float, what: str, old: Any = None, new: Any = None) -> Change:
    return Change(at, what, old, new)


@pytest.mark.parametrize(
    ("made", "recovered", "mitigated"),
    [
        ([], 30, None),
        ([change(5, "canary gateway", 50, 0)], 30, 5),
        ([change(5, "canary gateway", 50, 0)], None, None),
        ([change(5, "cache deny", "+flushall", "-flushall"), change(9, "cache warm")], 30, 9),
        # A breaker that is opened and closed again: with a restart in between, and after the recovery.
        ([change(5, *BREAKER), change(6, "service user"), change(29, BREAKER[0], "open", "off")], 30, 6),
        ([change(5, *BREAKER), change(40, BREAKER[0], "open", "off")], 30, 5),
        # Reverted in two steps; changed again after the revert.
        ([change(1, "scale feed", 2, 3), change(2, "scale feed", 3, 4), change(3, "scale feed", 4, 2)], 30, None),
        ([change(1, "scale feed", 2, 3), change(2, "scale feed", 3, 2), change(3, "scale feed", 2, 4)], 30, 3),
        ([change(31, "canary gateway", 50, 0)], 30, None),
    ],
)
def test_the_mitigation_is_the_last_change_in_effect_at_the_recovery(
    made: list[Change], recovered: float | None, mitigated: float | None
) -> None:
    assert definitions.mitigation(made, recovered) == mitigated


def row(action: str, target: str, old: Any, new: Any, outcome: str = "done") -> AuditRow:
    return documents.audit_row(action=action, target=target, old=old, new=new, outcome=outcome)


def test_an_audit_row_is_one_change_per_setting_and_none_for_the_version() -> None:
    pushed = row("config push", "feed", {"settings": {}, "version": 0}, {"settings": {"a": "1"}, "version": 3})
    back = row("config rollback", "feed", {"settings": {"a": "1"}, "version": 3}, {"settings": {}, "version": 4})
    failed = row("scale", "feed", 2, 3, "failed")
    assert definitions.in_force(changes([pushed, failed], 0.0)) == changes([pushed], 0.0)
    assert definitions.in_force(changes([pushed, back], 0.0)) == []


def test_durations_count_from_the_injection_or_the_page() -> None:
    at = {"firing": 20.0, "page": 21.0, "ack": 22.5, "recovered": 40.0}
    figures = definitions.durations(at, 90.0)
    assert figures.detection_seconds == 20 and figures.mtta_seconds == 1.5 and figures.mttr_seconds == 40
    assert figures.mttm_seconds is None and figures.diagnosis_seconds is None and figures.run_seconds == 90


def test_every_event_has_the_same_weight_in_the_budget() -> None:
    slo, period = find_slo("feed-latency-p99"), load_windows(LAB).period_seconds
    # 100 events/s from 20 s before the injection to 30 s after; then 300 events/s of which a tenth are bad.
    total, bad = [100] * 50 + [300] * 50, [0] * 50 + [30] * 50
    spent = definitions.budget(Counts(total, bad, -20.0), 79.0, slo, period)
    assert spent.bad_events == 1500 and spent.total_events == 29 * 100 + 50 * 300
    assert spent.budget_spent_ratio == pytest.approx(1500 / (0.01 * 200 * period), rel=1e-3)
    assert definitions.budget_at_start_ratio(Counts(total, bad, -20.0), 79.0, slo, period) == 1.0
    before = definitions.budget_at_start_ratio(Counts(total, bad, -70.0), 29.0, slo, period)
    assert before == pytest.approx(1 - 21 * 30 / (0.01 * 200 * period))


def test_only_a_persons_time_to_acknowledge_is_called_mtta() -> None:
    assert [acknowledgement(responder) for responder in ("human", "autopilot")] == ["MTTA", "Ack by autopilot"]


def test_the_schema_states_the_same_definitions() -> None:
    schema = json.loads(RECORD_SCHEMA.read_text())["$defs"]
    stated = {key: value["description"] for key, value in schema["Durations"]["properties"].items()}
    assert stated == {figure.key: figure.means for figure in FIGURES} | {"run_seconds": RUN_MEANS}
    assert schema["SloBudget"]["properties"]["budget_spent_ratio"]["description"] == BUDGET_MEANS
