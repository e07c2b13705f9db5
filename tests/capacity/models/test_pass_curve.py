"""Capacities from steps that passed and failed: recovered from simulated sweeps, with honest intervals."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.capacity.models.pass_curve import Step, fit
from lab.errors import UsageError

SLOPE = 34.0  # about 5 % noise of a capacity


def staircases(
    capacities: Mapping[str, float], rounds: int, draw: random.Random, *, slope: float = SLOPE
) -> list[Step]:
    """Up by 6 % after a pass, down after a failure."""
    loads = {name: capacity * math.exp(draw.gauss(0, 0.1)) for name, capacity in capacities.items()}
    steps = []
    for _ in range(rounds):
        for name in loads:
            odds = (capacities[name] / loads[name]) ** slope
            step = Step(name, loads[name], draw.random() < odds / (1 + odds))
            loads[name] *= 1.06 if step.passed else 1 / 1.06
            steps.append(step)
    return steps


def test_at_least_93_percent_of_the_intervals_hold_the_capacity() -> None:
    """Whether a capacity is blurred by 12, 5 or 2 %."""
    draw, half, safe, count = random.Random(8), 0, 0, 0
    for slope in (15.0, SLOPE, 80.0) * 6:
        truth = {f"config-{number}": draw.uniform(50, 400) for number in range(6)}
        found = fit(staircases(truth, 10, draw, slope=slope)).capacities
        half += sum(found[name].half.contains(value) for name, value in truth.items())
        safe += sum(found[name].safe.contains(value * 19 ** (-1 / slope)) for name, value in truth.items())
        count += len(truth)
    assert half >= 0.93 * count
    assert safe >= 0.85 * count  # it leans on the slope, of which a staircase says little


def test_many_steps_find_the_capacity_closely() -> None:
    truth = {"one": 100.0, "two": 250.0}
    curves = fit(staircases(truth, 120, random.Random(3)))
    for name, value in truth.items():
        assert curves.capacities[name].half.value == pytest.approx(value, rel=0.02)
        assert curves.capacities[name].safe.value == pytest.approx(value * 19 ** (-1 / SLOPE), rel=0.04)
        assert curves.pass_ratio(name, value) == pytest.approx(0.5, abs=0.2)
    assert curves.slope == pytest.approx(SLOPE, rel=0.3)


SEPARATED = [
    Step(name, capacity * times, times < 1)
    for name, capacity in (("one", 100.0), ("two", 300.0), ("three", 50.0))
    for times in (0.8, 1.3, 0.9, 1.2, 0.95, 1.05)
]


def test_perfectly_separated_steps_give_a_finite_capacity() -> None:
    one = fit(SEPARATED).capacities["one"]
    assert 95 < one.half.value < 105
    assert 0 < one.safe.low < one.safe.value < one.half.value < one.half.high < math.inf


@pytest.mark.parametrize("passed", [True, False])
def test_a_configuration_without_both_outcomes_is_open_at_one_end(passed: bool) -> None:
    curves = fit([*SEPARATED, *(Step("four", 200.0 + 10 * number, passed) for number in range(6))])
    four = curves.capacities["four"]
    assert not four.is_bracketed
    assert curves.capacities["one"].is_bracketed
    for estimate in (four.half, four.safe):
        assert (estimate.high == math.inf) == passed
        assert (estimate.low == 0.0) == (not passed)
    assert four.half.value > 250 if passed else four.half.value < 200


@settings(max_examples=8)
@given(st.integers(0, 2**32), st.floats(0.01, 100))
def test_neither_the_order_nor_the_unit_of_the_steps_matters(seed: int, unit: float) -> None:
    draw = random.Random(seed)
    steps = staircases({"one": 100.0, "two": 250.0}, 8, draw)
    curves = fit(steps)
    other = fit([replace(step, offered=step.offered * unit) for step in draw.sample(steps, len(steps))])
    assert other.slope == pytest.approx(curves.slope, rel=1e-2)
    for name, capacity in curves.capacities.items():
        assert other.capacities[name].half.value == pytest.approx(capacity.half.value * unit, rel=5e-3)
        assert other.capacities[name].safe.low == pytest.approx(capacity.safe.low * unit, rel=5e-3)


def test_noisier_steps_have_wider_intervals() -> None:
    def width(slope: float) -> float:
        half = fit(staircases({"one": 100.0, "two": 250.0}, 60, random.Random(5), slope=slope)).capacities["one"].half
        return half.high - half.low

    assert width(12.0) > 1.5 * width(60.0)


@pytest.mark.parametrize(("step", "message"), [(Step("one", 0.0, True), "0.0"), (Step("one", math.inf, True), "inf")])
def test_an_impossible_load_is_refused(step: Step, message: str) -> None:
    with pytest.raises(UsageError, match=f"one: {message} requests/s is not a load"):
        fit([*SEPARATED, step])


@pytest.mark.parametrize(("passed", "advice"), [(True, "higher"), (False, "lower")])
def test_steps_of_one_outcome_only_say_in_which_direction_to_go_on(passed: bool, advice: str) -> None:
    with pytest.raises(UsageError, match=f"sweep at {advice} loads"):
        fit([Step("one", 100.0 + number, passed) for number in range(5)])
