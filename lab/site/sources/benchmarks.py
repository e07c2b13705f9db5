"""The measured figures of docs/figures/bench.json as frozen types; `make bench` and `make soak` write them.

Memory is in MiB, `_ms` are milliseconds; timestamps are UTC. A section may hold more than these keys.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from lab.clients.documents import Document
from lab.errors import LabError
from lab.rollout.policy import Policy
from lab.site.build import budgets

FIGURES = "figures/bench.json"


class File(Document, frozen=True, kw_only=True):
    """The file: a section per program, each decoded when it is read."""

    sections: dict[str, msgspec.Raw]


class Host(Document, frozen=True, kw_only=True):
    """The machine that a section was measured on."""

    cpus: int | None


class Section(Document, frozen=True, kw_only=True):
    """The figures of one program."""

    measured_at: str
    host: Host


class RuleSet(Document, frozen=True, kw_only=True):
    """The rules of one SLO: their number, the time of one pass over all, and the time per second of operation."""

    rules: int
    pass_ms: float
    second_ms: float


class RuleCost(Section, frozen=True, kw_only=True):
    """The cost of these rules and of Sloth's; `ratio` compares their work per second."""

    ours: RuleSet
    sloth: RuleSet
    ratio: float
    prometheus: str
    history_days: float


class DatabaseLoad(Document, frozen=True, kw_only=True):
    """Feeds built and database operations, per second."""

    pages_mean: float
    pages_peak: float
    operations_mean: float
    operations_peak: float


class SingleFlight(Section, frozen=True, kw_only=True):
    """The load of the database while the cache was flushed every `flush_seconds`, without single-flight and with it."""

    people: int
    requests_per_second: float
    flush_seconds: float
    off: DatabaseLoad = msgspec.field(name="without")
    on: DatabaseLoad = msgspec.field(name="with")


class SiteFigures(Section, frozen=True, kw_only=True):
    """The figures of every page, by the keys of its budgets, and of the build."""

    lighthouse: str
    runs: int
    load_average: float
    build_seconds: float
    pages: Annotated[dict[str, dict[str, float]], Meta(min_length=1)]

    def __post_init__(self) -> None:
        for page, figures in self.pages.items():
            for bound in budgets.of_page(page):
                if bound.figure not in figures:
                    raise ValueError(f"pages/{page} has no {bound.figure!r}")


class ProcessMemory(Document, frozen=True, kw_only=True):
    """The memory of one process. The levels are its RSS; the slopes are those of the second half.

    `private_slope_mib_per_hour` leaves out shared memory and mapped files, whose pages the kernel can drop.
    """

    start_mib: float
    half_mib: float
    end_mib: float
    peak_mib: float
    slope_mib_per_hour: float
    private_slope_mib_per_hour: float


class Soak(Section, frozen=True, kw_only=True):
    """Memory over `minutes` of default traffic. `drills`: the result by drill; `out_of_bounds`: a sentence each."""

    minutes: float
    drills: dict[str, str]
    prometheus: str
    processes: dict[str, ProcessMemory]
    out_of_bounds: list[str]


class FalseAborts(Document, frozen=True, kw_only=True):
    """Healthy rollouts that were aborted, with Clopper and Pearson's upper bound of their ratio at 95 %."""

    aborted: int
    upper_bound_ratio: float


class Detection(Document, frozen=True, kw_only=True):
    """A bad version at one weight: the time until the judge fails it, and its bad requests by then; None: too late."""

    weight_percent: float
    bad_ratio: float
    median_seconds: float | None
    p95_seconds: float | None
    p95_bad_requests: float | None


class Ladder(Document, frozen=True, kw_only=True):
    """A bad version over the whole ladder: outcomes, median time to the abort, and bad requests of all runs."""

    bad_ratio: float
    aborted: int
    promoted: int
    held: int
    median_seconds: float | None
    p95_bad_requests: float


class SimulatedRollouts(Section, frozen=True, kw_only=True):
    """Rollouts by `policy`, simulated: `runs` of each healthy case, and `bad_runs` of each bad one.

    In `unlucky_clients` all requests of `unlucky_ratio` of the clients are bad. A bad version is watched at one weight
    for `within_seconds`.
    """

    runs: int
    bad_runs: int
    unlucky_ratio: float
    within_seconds: float
    policy: Policy
    healthy: dict[Literal["independent", "unlucky_clients"], FalseAborts]
    detection: list[Detection]
    ladder: list[Ladder]


class TelemetrySide(Document, frozen=True, kw_only=True):
    """One kind of telemetry: median processor time per request, its ratio to none at all, and latencies of the app."""

    cpu_us: float
    ratio: float
    p50_ms: float
    p99_ms: float


class TelemetryCosts(Document, frozen=True, kw_only=True):
    """A service without telemetry, with this lab's (without and with traces), and with that of the libraries."""

    bare: TelemetrySide
    untraced: TelemetrySide
    ours: TelemetrySide
    exporter: TelemetrySide
    opentelemetry: TelemetrySide


class Telemetry(Section, frozen=True, kw_only=True):
    """The cost of telemetry of two services; `max_ratio` is the bound of the gateway's."""

    rounds: int
    libraries: list[str]
    max_ratio: float
    gateway: TelemetryCosts
    feed: TelemetryCosts


T = TypeVar("T", bound=Section)


def read(docs: Path, name: str, kind: type[T]) -> T:
    """The section `name`. Raises LabError with the invalid key, and the command that measures the section."""
    path = docs / FIGURES
    try:
        return msgspec.json.decode(msgspec.json.decode(path.read_bytes(), type=File).sections[name], type=kind)
    except (OSError, KeyError) as error:
        raise LabError(f"docs/{FIGURES} holds no figures of {name!r}; run `{_command(name)}`") from error
    except msgspec.DecodeError as error:
        raise LabError(f"docs/{FIGURES}, section {name!r}: {error}; run `{_command(name)}`") from error


def _command(name: str) -> str:
    if name == "soak":
        return "make soak"
    if name.startswith("rules_"):
        return f"python -m scripts.bench_rules --record docs/{FIGURES} --section {name}"
    return f"python -m scripts.bench_{name} --record docs/{FIGURES}"
