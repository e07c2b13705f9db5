"""docs/figures/capacity.json: two sweeps as they were measured, and the capacities computed from the first.

The second sweep ran on another start of the lab; both must agree. Whoever only needs the capacities, such as the
exporter, reads `configurations`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from lab.atomic_write import write_json
from lab.capacity.analysis import Analysis
from lab.capacity.documents import SCHEMA, Host, RunUpRow, Sweep
from lab.capacity.models.estimate import Estimate
from lab.clients.documents import Document, as_builtins, load
from lab.errors import LabError, UsageError
from lab.measured_capacity import FILE, Interval
from lab.paths import DOCS

RUN_UPS = DOCS / "figures" / "run_ups.json"


class Stored(Document, frozen=True, kw_only=True):
    """The capacity of one configuration in requests per second: where half of the steps hold, and where 95 % do."""

    capacity: Interval
    safe: Interval


class Figures(Document, frozen=True, kw_only=True):
    """The file. A configuration of which no step held has no capacity, and is not in `configurations`."""

    schema: str
    sweep: Sweep
    repeat: Sweep | None
    configurations: dict[str, Stored]


class RunUps(Document, frozen=True, kw_only=True):
    """docs/figures/run_ups.json: the run-ups as they were measured, by name."""

    schema: str = SCHEMA
    host: Host
    run_ups: dict[str, RunUpRow]


T = TypeVar("T", Figures, RunUps)


def of(sweep: Sweep) -> Figures:
    """The figures of one sweep."""
    limits = Analysis(sweep).limits
    stored = {
        name: Stored(capacity=_interval(limit.capacity.half), safe=_interval(limit.capacity.safe))
        for name, limit in limits.items()
        if limit.capacity.half.low > 0
    }
    return Figures(schema=SCHEMA, sweep=sweep, repeat=None, configurations=stored)


def _interval(estimate: Estimate) -> Interval:
    """The estimate, rounded to a tenth; an end that the sweep did not bound is None."""
    high = round(estimate.high, 1) if math.isfinite(estimate.high) else None
    return Interval(value=round(estimate.value, 1), low=round(estimate.low, 1), high=high)


def repeated(figures: Figures, repeat: Sweep) -> Figures:
    """The figures with another sweep that repeats theirs.

    Raises UsageError when it is the same sweep, or one of other configurations.
    """
    if repeat.header.started_at == figures.sweep.header.started_at:
        raise UsageError(f"the sweep of {repeat.header.started_at} cannot repeat itself")
    require_same(figures, repeat.header.configurations)
    return msgspec.structs.replace(figures, repeat=repeat)


def require_same(figures: Figures, configurations: Sequence[str]) -> None:
    """Raises UsageError unless the stored sweep measured these configurations."""
    if (stored := figures.sweep.header.configurations) != list(configurations):
        raise UsageError(
            f"the stored sweep measured {', '.join(stored)}, not {', '.join(configurations)}; a repetition must measure"
            " the same"
        )


def write(figures: Figures, file: Path = FILE) -> None:
    """Store the figures."""
    write_json(file, as_builtins(figures))


def read(file: Path = FILE) -> Figures:
    """The stored figures. Raises LabError, naming the file and the key, when they are missing or damaged."""
    return _read(file, Figures, "make capacity")


def read_run_ups(file: Path = RUN_UPS) -> RunUps:
    """The stored run-ups. Raises LabError, naming the file and the key, when they are missing or damaged."""
    return _read(file, RunUps, "make run-ups")


def add_run_ups(host: Host, rows: Sequence[RunUpRow], file: Path = RUN_UPS) -> None:
    """Store run-ups; those of other names in the file stay."""
    stored = read_run_ups(file).run_ups if file.exists() else {}
    write_json(file, as_builtins(RunUps(host=host, run_ups={**stored, **{row.name: row for row in rows}})))


def _read(file: Path, kind: type[T], command: str) -> T:
    found = load(file, kind, f"run `{command}` to measure them again")
    if found is None:
        raise LabError(f"{file} does not exist; run `{command}` to measure it")
    if found.schema != SCHEMA:
        raise LabError(f"{file} has the schema {found.schema!r}, not {SCHEMA!r}; run `{command}`")
    return found
