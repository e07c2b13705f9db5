"""The order of a sweep's steps follows from the steps so far."""

from __future__ import annotations

import random

import pytest
from made_sweep import made_step, made_sweep

from lab.capacity.documents import CURVE, Sweep
from lab.capacity.schedule import CURVE_RATIOS, MAX_REFUSED, limit, next_load, next_of_curve, next_step, order
from lab.capacity.step import holds

NAMES = ["default", "feed-1", "feed-3"]
TRUE = {"default": 170.0, "feed-1": 120.0, "feed-3": 180.0}


def simulated(sweep: Sweep, blocks: int, seed: int, spread: float = 0.04) -> Sweep:
    """Runs the schedule against made-up limits; a step fails when the load is above its limit, varied by `spread`."""
    chance = random.Random(seed)
    for block in range(blocks):
        while planned := next_step(sweep, holds, 120.0, block):
            edge = TRUE[planned.configuration] * (1 + chance.gauss(0, spread))
            sweep.steps.append(made_step(planned, passed=planned.offered_per_second < edge))
    return sweep


def test_a_load_that_passes_is_followed_by_a_higher_one_and_one_that_fails_by_a_lower() -> None:
    assert next_load([], 120) == 120
    assert next_load([(120, True)], 120) == 150
    assert next_load([(120, True), (150, False)], 120) == pytest.approx(136.4)
    assert next_load([(120, True), (150, False), (136.4, True)], 120) == pytest.approx(143.2)


def test_blocks_are_permutations_and_every_second_one_is_the_reverse_of_the_first() -> None:
    first, reverse, later = (order(NAMES, 7, block) for block in (2, 3, 4))
    assert sorted(first) == sorted(NAMES)
    assert reverse == first[::-1]
    assert order(NAMES, 7, 0)[0] == "default"
    assert {tuple(order(NAMES, seed, 2)) for seed in range(20)} != {tuple(first)}
    assert sorted(later) == sorted(NAMES)


def test_the_staircase_surrounds_the_true_limit() -> None:
    sweep = simulated(made_sweep(NAMES), blocks=4, seed=3)
    for name, true in TRUE.items():
        late = [step.offered_per_second for step in sweep.steps if step.configuration == name and step.block > 0]
        assert min(late) < true < max(late)
        assert sum(late) / len(late) == pytest.approx(true, rel=0.06)


def test_a_sweep_that_was_interrupted_goes_on_as_if_it_had_not_been() -> None:
    whole = simulated(made_sweep(NAMES), blocks=3, seed=5, spread=0.0)
    for cut in range(len(whole.steps)):
        resumed = simulated(made_sweep(NAMES, whole.steps[:cut]), blocks=3, seed=5, spread=0.0)
        assert resumed.steps == whole.steps


def test_a_step_that_does_not_count_is_repeated_but_not_for_ever() -> None:
    sweep = made_sweep(["default"])
    loads = []
    while planned := next_step(sweep, holds, 120.0, 1):
        loads.append(planned.offered_per_second)
        sweep.steps.append(made_step(planned, passed=True, refused="the machine was slow"))
    assert loads == [120.0] * MAX_REFUSED


def test_the_curve_covers_the_range_of_loads_around_the_limit_once() -> None:
    sweep = simulated(made_sweep(["default"]), blocks=1, seed=1, spread=0.0)
    edge = limit([(step.offered_per_second, holds(step)) for step in sweep.steps])
    loads = []
    while planned := next_of_curve(sweep, holds):
        assert planned.kind == CURVE
        loads.append(planned.offered_per_second)
        sweep.steps.append(made_step(planned, passed=planned.offered_per_second < TRUE["default"]))
    assert sorted(loads) == [pytest.approx(ratio * edge, abs=0.06) for ratio in CURVE_RATIOS]
    assert loads != sorted(loads)
    assert next_step(sweep, holds, 120.0, 0) is None


def test_the_first_estimate_lies_between_the_highest_pass_and_the_lowest_failure() -> None:
    assert limit([(100, True), (140, False), (120, True)]) == 130
    assert limit([(100, True)]) == 100
    assert limit([(100, False), (90, False)]) == 90
