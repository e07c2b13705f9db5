"""The documents of a capacity sweep as frozen types: header, step and burst, in the journal and in the figures."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from msgspec import Meta, field

from lab.clients.documents import Document

SCHEMA = "fleetops.capacity/v1"
STAIRCASE, CURVE = KINDS = ("staircase", "curve")

Ratio = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
NotNegative = Annotated[float, Meta(ge=0)]


class Counted(Document, frozen=True, kw_only=True):
    """Events of one SLO, counted by the load generator: all of them, and the bad ones."""

    total: Count
    bad: Count

    @property
    def bad_ratio(self) -> float:
        """The bad ratio from 0 to 1; 0 without events."""
        return self.bad / self.total if self.total else 0.0


class Latency(Document, frozen=True, kw_only=True):
    """Latency of one route in seconds since the scheduled arrival, interpolated within the buckets of a histogram."""

    p50_seconds: NotNegative
    p99_seconds: NotNegative
    mean_seconds: NotNegative


class Host(Document, frozen=True, kw_only=True):
    """The machine and the versions of a sweep."""

    cpus: Count
    cpu_model: str
    machine: str
    memory_mib: Count
    python: str
    prometheus: str


class Header(Document, frozen=True, kw_only=True):
    """The first row of a sweep: what a resumed sweep must have in common with it."""

    schema: str = SCHEMA
    started_at: str
    seed: int
    configurations: list[str]
    host: Host


class Step(Document, frozen=True, kw_only=True):
    """One step at a constant offered load.

    `slos` counts the events of each SLO by id, `cpu_seconds` the processor seconds of each process by name, `machine`
    those of all processors by "lab", "others" and "idle", and `busy` is the mean utilisation (0 to 1) of each bounded
    resource by name. `database_seconds` is the mean duration of a database operation; `cache_bytes` is
    what the entries of the cache take, without the server itself. `calibration` is the speed of a
    core before and after the step, in loops per processor second while all cores compute. `refused` is the reason why
    the step does not count, "" when it does.
    """

    configuration: str
    kind: str
    block: int
    offered_per_second: NotNegative
    at: str
    seconds: NotNegative
    planned_seconds: NotNegative
    arrivals: Count
    good: Count
    slos: dict[str, Counted]
    latency: dict[str, Latency]
    in_flight: NotNegative
    stationary: bool
    late_p99_seconds: NotNegative
    cpu_seconds: dict[str, NotNegative]
    machine: dict[str, NotNegative]
    busy: dict[str, float]
    hit_ratio: Ratio | None
    database_per_second: NotNegative
    database_seconds: NotNegative
    cache_entries: Count
    cache_bytes: Count
    calibration: tuple[float, float]
    refused: str = ""

    @property
    def speed(self) -> float:
        """The machine's speed during the step, in loops per processor second."""
        return sum(self.calibration) / 2

    @property
    def goodput_per_second(self) -> float:
        """Requests per second that were answered without an error."""
        return self.good / self.seconds if self.seconds else 0.0

    @property
    def cpu_ms_per_request(self) -> float:
        """Processor milliseconds of all the lab's processes per arrival."""
        return 1000 * sum(self.cpu_seconds.values()) / self.arrivals if self.arrivals else 0.0


class Burst(Document, frozen=True, kw_only=True):
    """A burst of `factor` times the base load for `seconds`: in each second after its start, arrivals and good answers.

    `in_flight` is the number of requests in flight at the end of each second.
    """

    factor: NotNegative
    base_per_second: NotNegative
    seconds: NotNegative
    at: str
    arrivals: list[Count]
    good: list[Count]
    in_flight: list[Count]


class RunUpRow(Document, frozen=True, kw_only=True):
    """One run-up; times in seconds after its start, which is at `at`.

    `levels` holds when each level was set. `fired` holds by ticket when it first fired, `burning` by SLO since when it
    burned, without those that did not.
    """

    name: str
    at: str
    seconds: NotNegative
    levels: list[tuple[float, float]]
    fired: dict[str, float]
    burning: dict[str, float]

    def level_at(self, seconds: float) -> float:
        """The level at a time."""
        return [level for at, level in self.levels if at <= seconds][-1]

    def first_burn(self, slos: Collection[str]) -> float | None:
        """When the first of these SLOs began to burn; None when none did."""
        return min((at for slo, at in self.burning.items() if slo in slos), default=None)


class Row(Document, frozen=True, kw_only=True):
    """One line of the journal after its header: a step or a burst."""

    step: Step | None = None
    burst: Burst | None = None


class Sweep(Document, frozen=True, kw_only=True):
    """A sweep as it was measured."""

    header: Header
    steps: list[Step] = field(default_factory=list)
    bursts: list[Burst] = field(default_factory=list)

    @property
    def counted(self) -> list[Step]:
        """The steps that were not refused."""
        return [step for step in self.steps if not step.refused]
