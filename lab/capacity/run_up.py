"""Run-ups: one quantity grows step by step until an SLO burns, to measure how long before it each ticket fires.

The tickets and the SLIs of the whole run-up are read from Prometheus at its end, so nothing is measured twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, takewhile

import psutil

from lab.capacity.configurations import ACTOR, Configuration, control_state, enter
from lab.capacity.documents import RunUpRow
from lab.capacity.exclusive import Report, exclusive_lab
from lab.clients.times import utc_text
from lab.control import gateway_settings
from lab.control.admin_clients import LinkAdmin, TrafficAdmin
from lab.control.lab_clients import LabClients
from lab.drills.faults.link import LinkLatency
from lab.drills.faults.load import LoadMultiplier
from lab.drills.undo.snapshot import take
from lab.errors import LabError, UsageError
from lab.slo.catalogue import Catalogue, committed
from lab.slo.model import PAGE
from lab.slo.rendering import series
from lab.traffic.__main__ import DEFAULT_RATE

NAME = "capacity run-up"
DATABASE_LINK = "link-db"
# The window of an SLI that decides whether its SLO burns: a shorter one is noisy, a longer one late.
BURN_WINDOW_SECONDS = 30
SETTLE_SECONDS = 30.0

Apply = Callable[[LabClients, float], None]


def growth(first: float, last: float, factor: float) -> list[float]:
    """Levels from `first` to `last`, each `factor` times the one before."""
    if (last > first) is not (factor > 1):
        raise ValueError(f"levels from {first:g} never reach {last:g} by factors of {factor:g}")
    steps = accumulate(range(1000), lambda level, _: level * factor, initial=first)
    return [round(level, 4) for level in takewhile(lambda level: (level <= last) is (factor > 1), steps)]


@dataclass(frozen=True)
class RunUp:
    """One quantity that grows (or falls) from level to level, each held for `step_seconds`.

    `precedes` holds for each ticket the SLOs before which it must fire. `before_seconds` is the time at the first
    level, for tickets that compare with earlier.
    """

    name: str
    title: str
    unit: str
    levels: Sequence[float]
    step_seconds: float
    apply: Apply
    precedes: Mapping[str, Sequence[str]]
    configuration: Configuration = field(default_factory=lambda: Configuration("default", "the default"))
    requests_per_second: float = DEFAULT_RATE
    before_seconds: float = 0.0


def _load(clients: LabClients, level: float) -> None:
    TrafficAdmin.of(clients.home, clients.ports).set_rate(level)


def _time_to_live(clients: LabClients, level: float) -> None:
    clients.gateway.set_part(gateway_settings.CACHE, {"feed_ttl_seconds": level})


def _database_delay(clients: LabClients, level: float) -> None:
    LinkAdmin.of(clients.home, clients.ports, DATABASE_LINK).set_extra_delay(level)


@dataclass
class Balloon:
    """Memory that this process holds, so that a ratio of the machine's memory is in use."""

    held: list[bytearray] = field(default_factory=list)

    def grow(self, _clients: LabClients, ratio: float) -> None:
        """Hold as much more as it takes."""
        memory = psutil.virtual_memory()
        missing = int(ratio * memory.total) - (memory.total - memory.available)
        if missing > 0:
            self.held.append(bytearray(b"\1") * missing)


LATENCY = ("feed-latency-p95", "feed-latency-p99", "user-latency-p95", "user-latency-p99")
AVAILABILITY = ("feed-availability", "user-availability")


def run_ups() -> list[RunUp]:
    """Every run-up, in the order in which they are measured."""
    loads = growth(DEFAULT_RATE, 600, 1.02)
    return [
        RunUp(
            "load", "the load grows by 2 % every 10 s", "requests/s", loads, 10.0, _load,
            {
                "CpuHeadroomLow": LATENCY, "PeakAboveNMinusOne": LATENCY + AVAILABILITY,
                "InflightSaturation": AVAILABILITY,
            },
        ),
        RunUp(
            "threads", "the load grows by 2 % every 10 s on replicas with two threads", "requests/s", loads, 10.0,
            _load, {"ThreadSaturation": LATENCY},
            Configuration("two-threads", "two threads for each replica",
                          settings={"user": {"threads": 2}, "feed": {"threads": 2}}),
        ),
        RunUp(
            "pool", "the load grows by 2 % every 10 s with two database connections and no feed cached for longer"
            " than a second", "requests/s", growth(10, 300, 1.02), 10.0, _load, {"PoolSaturation": LATENCY},
            Configuration("two-connections", "two database connections, feeds cached for a second",
                          settings={"user": {"pool_max": 2}, "feed": {"pool_max": 2}}, feed_ttl_seconds=1.0),
            requests_per_second=10.0,
        ),
        RunUp(
            "cache", "the time to live of cached feeds falls by 5 % every 10 s", "s", growth(300, 1, 0.95), 10.0,
            _time_to_live, {"CacheHitRatioLow": LATENCY}, requests_per_second=150.0, before_seconds=190.0,
        ),
        RunUp(
            "database", "each round trip to the database takes 2 % longer every 10 s", "s", growth(0.002, 0.3, 1.02),
            10.0, _database_delay, {"DatabaseLatencyDrift": LATENCY}, before_seconds=1500.0,
        ),
        RunUp(
            "memory", "memory in use grows by 1 % of the machine every 5 s", "of the memory",
            [0.5 + index / 100 for index in range(36)], 5.0, Balloon().grow,
            {"MemoryHeadroomLow": LATENCY + AVAILABILITY},
        ),
    ]  # fmt: skip


def known(wanted: Sequence[str]) -> list[RunUp]:
    """The run-ups with these names, or all. Raises UsageError for an unknown one."""
    by_name = {one.name: one for one in run_ups()}
    for name in wanted:
        if name not in by_name:
            raise UsageError(f"no run-up {name!r}; there are {', '.join(by_name)}")
    return [by_name[name] for name in dict.fromkeys(wanted)] if wanted else list(by_name.values())


def measure(clients: LabClients, run_up: RunUp, report: Report) -> RunUpRow:
    """Run one run-up on the lab, until an SLO pages or the last level; afterwards everything is put back.

    Raises DrillRunning, NotRunning, and LabError (also for Ctrl-C).
    """
    acting = clients.acting_as(ACTOR)
    faults = (LoadMultiplier(multiplier=1.0), LinkLatency(link=DATABASE_LINK, extra_delay_seconds=0.001))
    longest = run_up.before_seconds + run_up.step_seconds * len(run_up.levels)
    try:
        with exclusive_lab(acting, NAME, faults, longest, report):
            return _measured(acting, run_up, report)
    except KeyboardInterrupt:
        raise LabError("stopped; the lab was put back") from None


def _measured(clients: LabClients, run_up: RunUp, report: Report) -> RunUpRow:
    base, configuration = take(clients), run_up.configuration
    enter(clients, control_state(clients, base, configuration), configuration.feed_ttl_seconds, NAME)
    TrafficAdmin.of(clients.home, clients.ports).set_rate(run_up.requests_per_second)
    run_up.apply(clients, run_up.levels[0])
    time.sleep(SETTLE_SECONDS + run_up.before_seconds)
    started, levels = time.time(), list[tuple[float, float]]()
    for level in run_up.levels:
        run_up.apply(clients, level)
        levels.append((round(time.time() - started, 1), level))
        firing = sorted({alert.labels["alertname"] for alert in clients.prometheus.alerts() if alert.state == "firing"})
        report(f"{levels[-1][0]:6.0f} s  {level:8.3g} {run_up.unit:10}  {', '.join(firing)}")
        if pages(clients):
            break
        time.sleep(run_up.step_seconds)
    seconds = time.time() - started
    fired = {alert: first_fired(clients, alert, started, seconds) for alert in run_up.precedes}
    return RunUpRow(
        name=run_up.name,
        at=utc_text(started),
        seconds=round(seconds, 1),
        levels=levels,
        fired={alert: at for alert, at in fired.items() if at is not None},
        burning=burning(clients, committed(), started, seconds),
    )


def pages(clients: LabClients) -> bool:
    """Whether an SLO's page fires."""
    return any(
        alert.state == "firing" and alert.labels.get("severity") == PAGE and series.LABEL_ID in alert.labels
        for alert in clients.prometheus.alerts()
    )


def first_fired(clients: LabClients, alert: str, started: float, seconds: float) -> float | None:
    """Seconds from `started` until an alert first fired; None if it did not."""
    query = f'max(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    found = clients.prometheus.range(query, started, started + seconds)
    return round(found[0].points[0][0] - started, 1) if found else None


def burning(clients: LabClients, catalogue: Catalogue, started: float, seconds: float) -> dict[str, float]:
    """By SLO that burns at the end, seconds from `started` since when its bad ratio has exceeded its budget."""
    rows = {}
    for slo in catalogue.slos:
        query = f'{series.error_ratio(BURN_WINDOW_SECONDS)}{{{series.LABEL_ID}="{slo.sloth_id}"}}'
        for line in clients.prometheus.range(query, started, started + seconds)[:1]:
            if (at := since_when(line.points, slo.budget_ratio)) is not None:
                rows[slo.sloth_id] = round(at - started, 1)
    return rows


def since_when(points: Sequence[tuple[float, float]], limit: float) -> float | None:
    """The time since when every value exceeds `limit`; None when the last one does not."""
    over = list(takewhile(lambda point: point[1] > limit, reversed(points)))
    return over[-1][0] if over else None
