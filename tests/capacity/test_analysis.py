"""What a sweep says, on made-up sweeps whose truth is known."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from made_sweep import TRUE, made_step, made_sweep, simulated, whole_sweep

from lab.capacity.analysis import Analysis, CpuCost, agree, cpu_cost, utilisation
from lab.capacity.documents import CURVE, STAIRCASE, Step
from lab.capacity.models.estimate import Estimate
from lab.capacity.schedule import Next


def test_the_capacities_are_found_although_the_machines_speed_wanders() -> None:
    held = 0
    for seed in range(10):
        limits = Analysis(simulated(seed), reference=1e7).limits
        held += sum(limits[name].capacity.half.contains(true) for name, true in TRUE.items())
        assert all(limits[name].capacity.half.value == pytest.approx(true, rel=0.12) for name, true in TRUE.items())
    assert held >= 27  # of 30 intervals of 95 %


def test_two_sweeps_of_one_system_agree_and_those_of_two_do_not() -> None:
    sweeps = [Analysis(simulated(seed), reference=1e7).limits for seed in range(6)]
    pairs = [(one[name], other[name]) for one, other in pairwise(sweeps) for name in TRUE]
    assert sum(agree(one.capacity.half, other.capacity.half) for one, other in pairs) >= len(pairs) - 1
    assert not any(agree(one["feed-1"].capacity.half, one["feed-3"].capacity.half) for one in sweeps)
    assert agree(Estimate(2, 1, 3), Estimate(4, 3, 5))


def test_the_slo_that_breaks_and_the_busiest_resource_are_named() -> None:
    limit = Analysis(simulated(1)).default
    assert limit.first_to_break == "feed-latency-p99"
    assert limit.bottleneck[0] == max(limit.utilisation, key=lambda name: limit.utilisation[name])
    assert limit.steps >= 10


def test_a_step_that_does_not_count_changes_no_figure() -> None:
    sweep = simulated(3)
    before = Analysis(sweep).limits
    planned = Next("default", STAIRCASE, 4, 100.0)
    sweep.steps.append(made_step(planned, passed=False, refused="other programs used 30% of the processors"))
    assert Analysis(sweep).limits == before


def test_utilisation_covers_processors_interpreters_threads_and_connections() -> None:
    step = made_step(Next("default", STAIRCASE, 0, 100.0), passed=True)
    step = msgspec.structs.replace(
        step,
        cpu_seconds={"gateway": 6.0, "feed-1": 2.0, "feed-2": 3.0, "feed-canary-1": 9.0},
        machine={"lab": 14.0, "others": 1.0, "idle": 5.0},
        busy={"feed threads": 0.4},
    )
    assert utilisation(step) == {
        "machine CPU": pytest.approx(0.75),
        "gateway interpreter": pytest.approx(0.6),
        "feed interpreter": pytest.approx(0.3),
        "feed threads": 0.4,
    }


def test_the_cost_of_a_request_leaves_out_what_the_idle_lab_uses() -> None:
    steps: list[Step] = []
    for load in (50.0, 100.0, 200.0):
        step = made_step(Next("default", CURVE, 0, load), passed=True)
        seconds = (0.3 + 0.005 * step.arrivals / step.seconds) * step.seconds
        steps.append(msgspec.structs.replace(step, cpu_seconds={"gateway": seconds}))
    cost = cpu_cost(steps, "default")
    assert cost.background_cores == pytest.approx(0.3)
    assert cost.seconds == pytest.approx(0.005)
    assert cost.bound(2.0) == pytest.approx(340)
    assert CpuCost(3.0, 0.005).bound(2.0) == 0


def test_the_fit_of_the_curve_predicts_the_steps_at_the_limit_that_it_has_not_seen() -> None:
    analysis = Analysis(whole_sweep(1))
    assert len(analysis.held_out) >= 3
    assert all(abs(point.relative_error) < 0.15 for point in analysis.held_out)
    fitted = set(analysis.points(analysis.curve))
    assert not any((point.in_flight, point.measured) in fitted for point in analysis.held_out)


def test_littles_law_is_checked_with_the_clients_own_measurements() -> None:
    step = made_step(Next("default", CURVE, 0, 100.0), passed=True)
    assert Analysis(made_sweep(["default"], [step])).little(step).holds
    off = msgspec.structs.replace(step, in_flight=4.0)
    assert not Analysis(made_sweep(["default"], [off])).little(off).holds
