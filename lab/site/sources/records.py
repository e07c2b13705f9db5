"""The committed records, read for pages. A page that needs a record which is damaged or missing does not build."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from lab import units
from lab.drills.evidence.burn_replay import counts_of
from lab.drills.evidence.provenance import stale
from lab.drills.evidence.record import read
from lab.drills.evidence.verify import Verification, verify
from lab.errors import LabError
from lab.site.render.timeseries import Line, Mark
from lab.slo.model import PAGE
from lab.slo.replay import Counts

# The instants of an incident, in the order in which they are graded, with what each is called on a page.
PHASES = {
    "inject": ("T0", "Fault injected"),
    "sli_bad": ("T1", "SLI bad"),
    "firing": ("T2", "Alert firing"),
    "page": ("T3", "Page delivered"),
    "ack": ("T4", "Acknowledged"),
    "diagnosis": ("T5", "Diagnosis"),
    "action": ("T6", "Mitigated"),
    "recovered": ("T7", "SLI recovered"),
    "resolved": ("T8", "Alert resolved"),
}


@dataclass(frozen=True)
class Record:
    """One incident's evidence. `data` is the JSON document, `path` where it lies below docs/."""

    ident: str
    path: str
    data: Mapping[str, Any]

    def __getitem__(self, key: str) -> Any:
        if key not in self.data:
            raise LabError(f"record {self.path} has no {key!r}; record the drill again")
        return self.data[key]

    @property
    def factor(self) -> int:
        """How many times faster than production the lab's windows are."""
        return int(self["lab"]["factor"])

    @cached_property
    def verification(self) -> Verification:
        """Its alerts computed again from its counts, and what contradicts them."""
        return verify(self.data)

    @property
    def timeline(self) -> list[dict[str, Any]]:
        """Its events in the order in which they happened."""
        return sorted(self["timeline"], key=lambda row: float(row["t_seconds"]))

    def first(self, kind: str) -> dict[str, Any] | None:
        """The event of a kind that is graded, or None: the first, of the actions the one that mitigated."""
        rows = (row for row in self.timeline if row["kind"] == kind)
        if kind != "action":
            return next(rows, None)
        mitigated = self["durations"]["mttm_seconds"]
        return next((row for row in rows if mitigated is not None and abs(row["t_seconds"] - mitigated) < 0.005), None)

    def counts(self, sloth_id: str) -> Counts:
        """The events of an SLO, second by second."""
        return counts_of(self["counts"], sloth_id)

    @property
    def t0(self) -> datetime:
        """The injection of the fault."""
        return units.parse(self["t0"])

    @property
    def told_by_page(self) -> bool:
        """Whether the alert that must come is a page; else it is a ticket."""
        alert = self["prediction"]["alert"]
        return any((row["alertname"], row["severity"]) == (alert, PAGE) for row in self["pages"])

    def marks(self) -> list[Mark]:
        """The graded instants that happened, T0 to T8."""
        rows = ((label, title, self.first(kind)) for kind, (label, title) in PHASES.items())
        return [Mark(label, title, float(row["t_seconds"])) for label, title, row in rows if row]

    def signal(self, name: str) -> tuple[Line, float | None, str]:
        """(line, objective, query) of a recorded signal; LabError names those there are."""
        for signal in self["signals"]:
            if signal["name"] == name:
                line = Line(
                    signal["title"],
                    signal["unit"],
                    float(signal["start_seconds"]),
                    float(signal["step_seconds"]),
                    tuple(None if value is None else float(value) for value in signal["values"]),
                )
                objective = signal.get("objective")
                return line, None if objective is None else float(objective), str(signal["query"])
        known = ", ".join(signal["name"] for signal in self["signals"])
        raise LabError(f"record {self.path} has no signal {name!r}, it has {known}")

    def firing_spans(self, alert: str) -> list[tuple[float, float]]:
        """(start, end) in seconds from injection of every span in which `alert` fired, as a page where it paged."""
        rows = [row for row in self["alerts"] if row["name"] == alert]
        paged = [row for row in rows if row["severity"] == "page"]
        spans = []
        for row in paged or rows:
            start = (units.parse(row["starts_at"]) - self.t0).total_seconds()
            end = units.parse(row.get("ends_at") or self["ended_at"])
            spans.append((start, (end - self.t0).total_seconds()))
        return spans


class Records:
    """The records below `folder` (docs/records)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: dict[str, Record] = {}  # since somebody cleared it: what a page draws from
        self._read: dict[str, tuple[int, Record]] = {}

    def __iter__(self) -> Iterator[Record]:
        for path in sorted(self.folder.glob("*.json")):
            yield self.read(path.stem)

    def find(self, ident: str) -> Record | None:
        """The record, or None when that incident has none yet."""
        return self.read(ident) if (self.folder / f"{ident}.json").exists() else None

    def read(self, ident: str) -> Record:
        """The record of an incident; LabError names a file that is missing, damaged, not by the schema, or stale."""
        record = self.asked[ident] = self._checked(ident)
        return record

    def _checked(self, ident: str) -> Record:
        path = self.folder / f"{ident}.json"
        shown = f"docs/records/{path.name}"
        mend = f"run 'fleetops drill run {ident} --record {shown}'"
        if not path.exists():
            raise LabError(f"record {shown} does not exist; {mend}")
        stamp = path.stat().st_mtime_ns
        if (known := self._read.get(ident)) and known[0] == stamp:
            return known[1]
        record = Record(ident, f"records/{path.name}", read(path))
        if changed := stale(dict(record.data)):
            raise LabError(f"record {shown} is stale: {', '.join(changed)} changed since; {mend}")
        if problems := record.verification.problems:
            raise LabError(f"record {shown} does not prove itself: {problems[0]}; {mend}")
        self._read[ident] = (stamp, record)
        return record
