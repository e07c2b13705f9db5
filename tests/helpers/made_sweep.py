"""Made-up sweeps and steps, of systems whose limits are known."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from lab.capacity.bursts import FACTORS
from lab.capacity.configurations import CONFIGURATIONS
from lab.capacity.documents import Burst, Counted, Header, Host, Latency, Step, Sweep
from lab.capacity.schedule import Next, next_of_curve, next_step
from lab.capacity.step import holds
from lab.slo.catalogue import committed

TRUE = {"default": 290.0, "feed-1": 200.0, "feed-3": 295.0}
SLOS = [slo.sloth_id for slo in committed().slos]
HOST = Host(cpus=2, cpu_model="made up", machine="x86_64", memory_mib=4096, python="3.11.7", prometheus="3.5.3")


def made_step(planned: Next, *, passed: bool, refused: str = "", **changes: Any) -> Step:
    """A step of 10 s in which every SLO holds, or feed latency does not."""
    arrivals = round(planned.offered_per_second * 10)
    slos = {slo: Counted(total=arrivals // 2, bad=0) for slo in SLOS}
    if not passed:
        slos["feed-latency-p99"] = Counted(total=arrivals // 2, bad=arrivals // 4)
    step = Step(
        configuration=planned.configuration,
        kind=planned.kind,
        block=planned.block,
        offered_per_second=planned.offered_per_second,
        at="2026-01-01T00:00:00Z",
        seconds=10.0,
        planned_seconds=10.0,
        arrivals=arrivals,
        good=arrivals,
        slos=slos,
        latency={
            service: Latency(p50_seconds=0.02, p99_seconds=0.1 if passed else 0.6, mean_seconds=0.03)
            for service in ("feed", "user")
        },
        in_flight=planned.offered_per_second * 0.03,
        stationary=True,
        late_p99_seconds=0.001,
        cpu_seconds={"gateway": 0.03 * arrivals / 10, "feed-1": 0.02 * arrivals / 10, "user-1": 0.01 * arrivals / 10},
        machine={"lab": 10.0, "others": 0.2, "idle": 9.8},
        busy={"gateway threads": 0.1, "feed threads": 0.2},
        hit_ratio=0.95,
        database_per_second=10.0,
        database_seconds=0.004,
        cache_entries=2000,
        cache_bytes=4_000_000,
        calibration=(1e7, 1e7),
        refused=refused,
    )
    return msgspec.structs.replace(step, **changes)


def made_sweep(configurations: Iterable[str], steps: Iterable[Step] = ()) -> Sweep:
    """A sweep with these steps so far."""
    header = Header(started_at="2026-01-01T00:00:00Z", seed=1, configurations=list(configurations), host=HOST)
    return Sweep(header=header, steps=list(steps))


def simulated(
    seed: int, *, limits: Mapping[str, float] = TRUE, blocks: int = 5, wander: float = 0.15, noise: float = 0.04
) -> Sweep:
    """A sweep of a system with these limits, whose machine wanders by `wander` in speed and limit."""
    chance, sweep = random.Random(seed), made_sweep(limits)
    for block in range(blocks):
        while planned := next_step(sweep, holds, 200.0, block):
            speed = 1 + chance.uniform(-wander, wander)
            edge = limits[planned.configuration] * speed * (1 + chance.gauss(0, noise))
            step = made_step(planned, passed=planned.offered_per_second < edge)
            sweep.steps.append(msgspec.structs.replace(step, calibration=(1e7 * speed, 1e7 * speed)))
    return sweep


def whole_sweep(seed: int, **changes: Any) -> Sweep:
    """A sweep of all configurations of a system that serves 350 requests/s, with curve and bursts."""
    limits = {one.name: 200.0 if one.name in ("feed-1", "n-1") else 290.0 for one in CONFIGURATIONS}
    sweep = simulated(seed, limits=limits, blocks=3, wander=0.0)
    for index, step in enumerate(sweep.steps):
        sweep.steps[index] = _loaded(step)
    while planned := next_of_curve(sweep, holds):
        sweep.steps.append(_loaded(made_step(planned, passed=planned.offered_per_second < limits["default"])))
    sweep.bursts.extend(_burst(factor) for factor in FACTORS)
    return msgspec.structs.replace(sweep, header=msgspec.structs.replace(sweep.header, **changes))


def _loaded(step: Step, served: float = 350.0) -> Step:
    """The step with goodput, requests in flight and latency of a queue that serves `served` requests/s."""
    load = step.arrivals / step.seconds
    good = load / (1 + (load / served) ** 8) ** (1 / 8)
    in_flight = 0.02 * good / (1.02 - good / served)
    mean = in_flight / load
    return msgspec.structs.replace(
        step,
        good=round(good * step.seconds),
        in_flight=in_flight,
        latency={
            service: Latency(p50_seconds=mean * 0.7, p99_seconds=mean * 4.6, mean_seconds=mean)
            for service in ("feed", "user")
        },
        machine={"lab": 20 * min(1.0, load / served), "others": 0.0, "idle": 20 * max(0.0, 1 - load / served)},
    )


def _burst(factor: float, base: float = 180.0, served: float = 350.0) -> Burst:
    arrivals, good, in_flight, waiting = [], [], [], 4.0
    for second in range(30):
        offered = base * factor if second < 10 else base
        done = min(served, waiting + offered)
        waiting = min(160.0, max(4.0, waiting + offered - done))
        arrivals.append(round(offered))
        good.append(round(done))
        in_flight.append(round(waiting))
    return Burst(
        factor=factor, base_per_second=base, seconds=10.0, at="2026-01-01T00:40:00Z",
        arrivals=arrivals, good=good, in_flight=in_flight,
    )  # fmt: skip
