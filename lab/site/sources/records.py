"""The committed incident records. A page does not build when its record is missing, damaged, stale or inconsistent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import msgspec

from lab import units
from lab.change import log
from lab.drills.evidence.burn_replay import counts_of
from lab.drills.evidence.provenance import stale
from lab.drills.evidence.record import read
from lab.drills.evidence.verify import Verification, verify
from lab.drills.schema import record as schema
from lab.drills.schema.record import Prediction, TimelineRow
from lab.errors import LabError
from lab.site.render.timeseries import Line, Mark
from lab.slo.model import PAGE
from lab.slo.replay import Counts

# The graded instants of an incident in order: the kind of event, its label on a chart and its name.
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

SAME_SECONDS = 0.005  # instants that are closer are the same: they are rounded to milliseconds


@dataclass(frozen=True)
class Record:
    """The record of one incident. `data` is the document, `path` its path below docs/."""

    ident: str
    path: str
    data: schema.Record

    @property
    def factor(self) -> int:
        """How many times shorter the lab's windows were than production's."""
        return int(self.data.lab.factor)

    @property
    def prediction(self) -> Prediction:
        """When the alert had to fire. LabError in the record of a control, which predicts nothing."""
        if self.data.prediction is None:
            raise LabError(f"record {self.path} predicts no alert: {self.ident} is a control")
        return self.data.prediction

    @property
    def traces(self) -> list[schema.ExemplaryTrace]:
        """Its exemplary traces; none where the lab recorded no spans."""
        return [] if isinstance(self.data.traces, msgspec.UnsetType) else self.data.traces

    @cached_property
    def verification(self) -> Verification:
        """The alerts recomputed from the recorded counts, and every contradiction to the recorded ones."""
        return verify(self.data)

    @property
    def timeline(self) -> list[TimelineRow]:
        """Its events, in time order."""
        return sorted(self.data.timeline, key=lambda row: row.t_seconds)

    def first(self, kind: str) -> TimelineRow | None:
        """The graded event of a kind, or None: the mitigating one of the actions, else the first of its kind."""
        rows = (row for row in self.timeline if row.kind == kind)
        if kind != "action":
            return next(rows, None)
        mitigated = self.data.durations.mttm_seconds
        return next(
            (row for row in rows if mitigated is not None and abs(row.t_seconds - mitigated) < SAME_SECONDS), None
        )

    def counts(self, sloth_id: str) -> Counts:
        """All and bad events of an SLO, per scrape."""
        return counts_of(self.data.counts, sloth_id)

    @property
    def t0(self) -> datetime:
        """The time at which the fault was injected, in UTC."""
        return units.parse(self.data.t0)

    @property
    def alert_is_page(self) -> bool:
        """Whether the predicted alert arrived as a page and not as a ticket."""
        return any((page.alertname, page.severity) == (self.prediction.alert, PAGE) for page in self.data.pages)

    def marks(self) -> list[Mark]:
        """The graded instants that were reached, T0 to T8."""
        rows = ((label, title, self.first(kind)) for kind, (label, title) in PHASES.items())
        return [Mark(label, _with_action(title, row), row.t_seconds) for label, title, row in rows if row]

    def changes(self) -> list[Mark]:
        """The actions that altered something, C1 and so on, without those that are graded instants."""
        graded = [mark.at_seconds for mark in self.marks()]
        at_seconds = ((mark, (units.parse(mark.at) - self.t0).total_seconds()) for mark in log.marks(self.data.actions))
        made = [
            (at, f"{mark.what}, by {mark.by}")
            for mark, at in at_seconds
            if not any(abs(at - other) < SAME_SECONDS for other in graded)
        ]
        return [Mark(f"C{number}", title, at, is_change=True) for number, (at, title) in enumerate(made, 1)]

    def signal(self, name: str) -> tuple[Line, float | None, str]:
        """(line, objective, query) of a signal; the objective in the line's unit. LabError for an unknown name."""
        for signal in self.data.signals:
            if signal.name == name:
                line = Line(signal.title, signal.unit, signal.start_seconds, signal.step_seconds, tuple(signal.values))
                return line, signal.objective, signal.query
        known = ", ".join(signal.name for signal in self.data.signals)
        raise LabError(f"record {self.path} has no signal {name!r}; its signals are {known}")

    def firing_spans(self, alert: str) -> list[tuple[float, float]]:
        """(start, end) of every span in which `alert` fired, in seconds from injection; only its pages, if it paged."""
        rows = [row for row in self.data.alerts if row.name == alert]
        paged = [row for row in rows if row.severity == PAGE]
        spans = []
        for row in paged or rows:
            start = (units.parse(row.starts_at) - self.t0).total_seconds()
            end = units.parse(row.ends_at or self.data.ended_at)
            spans.append((start, (end - self.t0).total_seconds()))
        return spans


def _with_action(title: str, row: TimelineRow) -> str:
    """The title of a graded instant, with the control action that it was."""
    audited = row.evidence is not None and (row.evidence.pointer or "").startswith("/actions/")
    return f"{title}: {row.title}" if audited else title


class Records:
    """The records below `folder`, which is docs/records."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._used: dict[str, Record] = {}
        self._cache: dict[str, tuple[int, Record]] = {}  # by incident: modification time in ns, record

    def __iter__(self) -> Iterator[Record]:
        for path in sorted(self.folder.glob("*.json")):
            yield self.read(path.stem)

    def find(self, ident: str) -> Record | None:
        """The record of an incident, or None if it has none. Raises LabError as `read` does."""
        return self.read(ident) if (self.folder / f"{ident}.json").exists() else None

    def read(self, ident: str) -> Record:
        """The record of an incident.

        Raises LabError that names the file when it is missing, damaged, not valid by the schema or stale, or when its
        counts contradict its alerts.
        """
        record = self._used[ident] = self._checked(ident)
        return record

    def pop_used(self) -> list[Record]:
        """Every record read since the last call. After each page, these are the records that the page uses."""
        used, self._used = list(self._used.values()), {}
        return used

    def _checked(self, ident: str) -> Record:
        path = self.folder / f"{ident}.json"
        shown = f"docs/records/{path.name}"
        fix = f"run 'fleetops drill run {ident} --record {shown}'"
        if not path.exists():
            raise LabError(f"record {shown} does not exist; {fix}")
        stamp = path.stat().st_mtime_ns
        if (cached := self._cache.get(ident)) and cached[0] == stamp:
            return cached[1]
        document = read(path)
        record = Record(ident, f"records/{path.name}", document)
        if changed := stale(document):
            raise LabError(f"record {shown} is stale: {', '.join(changed)} changed since; {fix}")
        if problems := record.verification.problems:
            raise LabError(f"record {shown} contradicts itself: {problems[0]}; {fix}")
        self._cache[ident] = (stamp, record)
        return record
