"""The verdict: a good incident passes every check, and each failure fails its own check."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec.structs import replace as replace_struct

from lab.drills.evidence.collect import sli_bad_at, sli_recovered_at
from lab.drills.grading.verdict import Facts, grade
from lab.drills.schema.record import Prediction
from lab.drills.spec.drill import Restored, find

INC = find("INC-001")
D0 = find("D0")
PREDICTION = Prediction(
    alert="FeedLatencyP99Burn", severity="page", detection_seconds=21.8, allowance_seconds=4, arithmetic=[],
    tolerance_ratio=1, bound=False, tier="page.quick", bad_ratio=0.5, effect_seconds=0,
)  # fmt: skip
GOOD = Facts(
    page="FeedLatencyP99Burn",
    page_at=23.5,
    acked_at=24.0,
    fired=frozenset({("FeedLatencyP99Burn", "page"), ("FeedCanarySlowerThanStable", "ticket")}),
    branch="1. The canary performs worse than stable",
    recovered_at=30.0,
    resolved_at=33.0,
    held=True,
)


def failed(facts: Facts) -> set[str]:
    return {check.name for check in grade(INC, PREDICTION, facts) if not check.passed}


def test_a_good_incident_passes_every_check() -> None:
    assert failed(GOOD) == set()


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"page": None, "page_at": None}, "page_arrived"),
        ({"page_at": 25.9}, "detected_in_time"),
        ({"acked_at": None}, "acknowledged"),
        ({"branch": None}, "runbook_worked"),
        ({"invalid_commands": ("fleetops canary wait 0",)}, "runbook_worked"),
        ({"recovered_at": None}, "sli_recovered"),
        ({"overdue": True}, "sli_recovered"),
        ({"resolved_at": None}, "alert_resolved"),
        ({"held": False}, "held"),
        ({"branch": "9. The feed cache has lost its entries"}, "runbook_worked"),
        ({"fired": frozenset({("FeedLatencyP99Burn", "page")})}, "other_alerts"),
        ({"fired": GOOD.fired | {("UserLatencyP99Burn", "page")}}, "silent_alerts"),
        ({"fired": GOOD.fired | {("FeedLatencyP95Burn", "page")}}, "silent_alerts"),
        ({"fired": GOOD.fired | {("ProcessRestarted", "ticket")}}, "silent_alerts"),
        ({"down": ("feed-2",)}, "nothing_else_broken"),
    ],
)
def test_each_failure_fails_its_own_check(change: dict[str, object], check: str) -> None:
    assert failed(replace(GOOD, **change)) == {check}  # type: ignore[arg-type]


def test_a_page_at_the_prediction_plus_its_allowance_is_in_time() -> None:
    assert failed(replace(GOOD, page_at=25.8)) == set()


def test_a_person_is_not_graded_on_the_runbook_but_on_the_recovery() -> None:
    assert failed(replace(GOOD, branch=None, runbook_expected=False)) == set()


def test_a_control_passes_only_when_nobody_was_paged_and_nobody_acted() -> None:
    assert all(check.passed for check in grade(D0, None, Facts()))
    ticket = frozenset({("ProcessRestarted", "ticket")})
    page = Facts(page="FeedAvailabilityBurn", page_at=3.0)
    for facts in (page, Facts(actors=("wrong-responder",)), Facts(fired=ticket)):
        assert not all(check.passed for check in grade(D0, None, facts))


def test_the_tolerance_of_a_drill_extends_the_time_for_detection() -> None:
    late = replace(GOOD, page_at=32.0)
    assert all(check.passed for check in grade(INC, replace_struct(PREDICTION, tolerance_ratio=1.3), late))
    assert failed(late) == {"detected_in_time"}


def test_a_drill_without_an_slo_has_recovered_when_its_alert_has_resolved() -> None:
    platform = replace(INC, effect=None)
    checks = {check.name: check.passed for check in grade(platform, PREDICTION, replace(GOOD, recovered_at=None))}
    assert "sli_recovered" not in checks
    assert all(checks.values())
    assert not all(check.passed for check in grade(platform, PREDICTION, replace(GOOD, resolved_at=None)))


def test_the_drills_own_condition_must_hold_at_the_end() -> None:
    drill = replace(INC, restored=Restored("up", "everything answers"))
    for holds in (True, False):
        checks = {check.name: check for check in grade(drill, PREDICTION, replace(GOOD, restored=holds))}
        assert checks["restored"].passed is holds
        assert "everything answers" in checks["restored"].detail


def test_the_sli_turns_bad_at_its_first_sample_above_the_budget_after_the_injection() -> None:
    assert sli_bad_at([0.5, 0.0, 0.0, 0.02, 0.5], -1.5, 0.01) == 1.5
    assert sli_bad_at([0.5, 0.0, None, 0.01], -1.5, 0.01) is None


def test_the_sli_has_recovered_once_it_stays_good_for_five_seconds() -> None:
    values = [0.5, 0.5, 0.0, 0.5, 0.0, 0.0, 0.0, None, 0.0, 0.0, 0.0]
    assert sli_recovered_at(values, 0, 0.01, after_seconds=0) == 4, "from its first good second on, the gap included"
    assert sli_recovered_at(values[:8], 0, 0.01, after_seconds=0) is None
