"""docs/figures/capacity.json: two sweeps as they were measured, and the capacities computed from the first.

The second sweep ran on another start of the lab; both must agree. Whoever only needs the capacities, such as the
exporter, reads `configurations`.
"""

from __future__ import annotations

import math
from pathlib import Path

from lab.atomic_write import write_json
from lab.capacity.analysis import Analysis
from lab.capacity.documents import SCHEMA, Sweep
from lab.capacity.models.estimate import Estimate
from lab.clients.documents import Document, as_builtins, load
from lab.errors import LabError
from lab.paths import DOCS

FILE = DOCS / "figures" / "capacity.json"


class Interval(Document, frozen=True, kw_only=True):
    """A figure with its 95 % interval; an end that the sweep did not bound is None."""

    value: float
    low: float
    high: float | None

    @classmethod
    def of(cls, estimate: Estimate) -> Interval:
        """The estimate, rounded to a tenth."""
        high = round(estimate.high, 1) if math.isfinite(estimate.high) else None
        return cls(value=round(estimate.value, 1), low=round(estimate.low, 1), high=high)


class Stored(Document, frozen=True, kw_only=True):
    """The capacity of one configuration in requests per second: where half of the steps hold, and where 95 % do."""

    capacity: Interval
    safe: Interval


class Figures(Document, frozen=True, kw_only=True):
    """The file."""

    schema: str
    sweep: Sweep
    repeat: Sweep | None
    configurations: dict[str, Stored]


def of(sweep: Sweep, repeat: Sweep | None) -> Figures:
    """The figures of one sweep, and of another that repeats it."""
    limits = Analysis(sweep).limits
    stored = {
        name: Stored(capacity=Interval.of(limit.capacity.half), safe=Interval.of(limit.capacity.safe))
        for name, limit in limits.items()
    }
    return Figures(schema=SCHEMA, sweep=sweep, repeat=repeat, configurations=stored)


def write(figures: Figures, file: Path = FILE) -> None:
    """Store the figures."""
    write_json(file, as_builtins(figures))


def read(file: Path = FILE) -> Figures:
    """The stored figures. Raises LabError, naming the file and the key, when they are missing or damaged."""
    figures = load(file, Figures, "run `make capacity` to measure them again")
    if figures is None:
        raise LabError(f"{file} does not exist; run `make capacity` to measure it")
    if figures.schema != SCHEMA:
        raise LabError(f"{file} has the schema {figures.schema!r}, not {SCHEMA!r}; run `make capacity`")
    return figures
