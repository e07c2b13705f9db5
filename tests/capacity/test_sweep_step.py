"""When a step is long enough, when its queues are stationary, and which SLO broke."""

from __future__ import annotations

import random

import pytest
from made_sweep import SLOS, made_step

from lab.capacity.documents import Counted
from lab.capacity.schedule import Next
from lab.capacity.step import MAX_SECONDS, MIN_SECONDS, broken, holds, planned_seconds, stationary
from lab.slo.catalogue import committed

STEP = Next("default", "staircase", 0, 120.0)


def test_a_step_is_long_enough_for_one_allowed_bad_event_in_every_slo() -> None:
    tightest = max(1 / slo.budget_ratio for slo in committed().slos)
    assert planned_seconds(150.0, committed()) == pytest.approx(tightest / 75)
    assert planned_seconds(20.0, committed()) == MAX_SECONDS
    assert planned_seconds(2000.0, committed()) == MIN_SECONDS


def test_the_slo_furthest_beyond_its_objective_is_named_first() -> None:
    slos = {slo: Counted(total=2000, bad=0) for slo in SLOS}
    slos["feed-latency-p99"] = Counted(total=2000, bad=21)
    slos["feed-availability"] = Counted(total=2000, bad=20)
    assert broken(slos, committed()) == ["feed-availability", "feed-latency-p99"]


def test_one_bad_event_breaks_no_slo_and_two_of_few_do() -> None:
    slos = {slo: Counted(total=500, bad=0) for slo in SLOS}
    slos["user-availability"] = Counted(total=500, bad=1)
    assert broken(slos, committed()) == []
    slos["user-availability"] = Counted(total=500, bad=2)
    assert broken(slos, committed()) == ["user-availability"]


def test_a_step_holds_exactly_while_every_slo_does() -> None:
    assert holds(made_step(STEP, passed=True))
    assert not holds(made_step(STEP, passed=False))


def test_a_growing_queue_is_not_stationary_and_noise_around_a_level_is() -> None:
    chance = random.Random(1)
    growing = [3.0 * at + chance.gauss(0, 2) for at in range(8)]
    assert not stationary(growing)
    level = sum(stationary([20 + chance.gauss(0, 3) for _ in range(8)]) for _ in range(200))
    assert level > 170
    assert stationary([5.0] * 8)
    assert not stationary([5.0] * 3)
