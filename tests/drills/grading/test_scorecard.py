"""The scorecard: the points for a diagnosis, an ack, a fast fix, a hint and a harmful action."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.drills.grading.scorecard import Diagnosis, Sli, Work, card, diagnosis_score, harmful, total

GOOD = Work(ack_seconds=5, mitigation_seconds=2, recovered=True, diagnosis_score=1.0, hints=0, harmful=())


@pytest.mark.parametrize(
    ("components", "trigger", "score"),
    [
        (("db",), "capacity", 1.0),
        (("db", "cache"), "capacity", 0.5),
        (("db", "cache", "clients", "gateway"), "capacity", 0.25),
        (("feed",), "capacity", 0.5),
        (("feed", "clients"), "capacity", 0.25),
        (("db",), "hardware", 0.5),
        (("clients",), "capacity", 0.0),
    ],
)
def test_a_diagnosis_scores_less_the_more_components_it_names_and_the_further_it_is_off(
    components: tuple[str, ...], trigger: str, score: float
) -> None:
    assert diagnosis_score(Diagnosis(components, trigger), "db", "capacity") == score


def test_a_flawless_response_as_fast_as_the_autopilot_scores_100() -> None:
    assert total(card(GOOD, 2.0)) == 100


@pytest.mark.parametrize(
    ("change", "points"),
    [
        ({"hints": 2}, 80),
        ({"harmful": ("scale feed 2 → 1",)}, 85),
        ({"diagnosis_score": None}, 70),
        ({"diagnosis_score": 0.5}, 85),
        ({"ack_seconds": 30 + 9 * 30}, 90),
        ({"mitigation_seconds": 20}, 80),
        ({"mitigation_seconds": 11}, 90),
        # Not recovered: neither the recovery nor its speed counts.
        ({"recovered": False}, 40),
        ({"recovered": False, "diagnosis_score": None, "ack_seconds": None, "hints": 3}, 0),
    ],
)
def test_each_shortcoming_costs_its_points(change: dict[str, object], points: float) -> None:
    assert total(card(replace(GOOD, **change), 2.0)) == points  # type: ignore[arg-type]


def test_without_a_record_of_the_autopilot_speed_scores_full_points() -> None:
    assert total(card(replace(GOOD, mitigation_seconds=500), None)) == 100


def test_an_action_is_harmful_if_a_good_sli_turns_bad_soon_after_it() -> None:
    fault = Sli([0.0, 0.5, 0.5, 0.5, 0.0, 0.0], 0.0, 0.01, 0.144)
    hurt = Sli([0.0, None, 0.0, 0.0, 0.0, 0.02, 0.2], 0.0, 0.01, 0.144)
    actions = [(2.0, "canary weight: 50 → 0"), (4.0, "service restart user")]
    assert harmful(actions, [fault]) == ()
    assert harmful(actions, [fault, hurt]) == ("service restart user",)
    late = Sli([0.0] * 30 + [0.2], 0.0, 0.01, 0.144)
    assert harmful(actions, [late]) == ()


def test_a_brief_miss_of_the_objective_makes_no_action_harmful() -> None:
    """A request that the fault slowed may be answered, late, just after the action that fixes it."""
    brief = Sli([0.0, 0.0, 0.0, 0.02, 0.02, 0.02, 0.0] + [0.0] * 7 + [0.2], 0.0, 0.01, 0.144)
    assert harmful([(2.0, "canary weight: 50 → 0")], [brief]) == ()


def test_an_action_that_breaks_a_recovered_sli_is_harmful() -> None:
    broken, fixed = [0.5] * 5, [0.0] * 15
    again = Sli([0.0, *broken, *fixed, *broken], 0.0, 0.01, 0.144)
    actions = [(4.0, "canary weight: 50 → 0"), (20.0, "canary weight: 0 → 50")]
    assert harmful(actions, [again]) == ("canary weight: 0 → 50",)
    flaps = Sli([0.0, *broken, *fixed[:5], *broken], 0.0, 0.01, 0.144)
    assert harmful([(10.0, "service restart feed")], [flaps]) == (), "briefly good is not recovered"
    unknown = Sli([0.0, *broken, *[None] * 15, *broken], 0.0, 0.01, 0.144)
    assert harmful([(20.0, "service restart feed")], [unknown]) == (), "not measured is not recovered"
