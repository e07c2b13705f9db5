"""Made-up sweeps and steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from lab.capacity.documents import Counted, Header, Host, Latency, Step, Sweep
from lab.capacity.schedule import Next
from lab.slo.catalogue import committed

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
        calibration=(1e7, 1e7),
        refused=refused,
    )
    return msgspec.structs.replace(step, **changes)


def made_sweep(configurations: Iterable[str], steps: Iterable[Step] = ()) -> Sweep:
    """A sweep with these steps so far."""
    header = Header(started_at="2026-01-01T00:00:00Z", seed=1, configurations=list(configurations), host=HOST)
    return Sweep(header=header, steps=list(steps))
