"""The spans of time that a budget ledger charges: drills, pages, rollouts and other changes. Pure.

An incident's span begins where its bad events begin: a drill's at the injection, a page's at the first of the bad
events that made its alert fire. A change may show its harm later, so it is charged for some time after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from lab import names
from lab.change.ledger import Interval, Kind, Span
from lab.change.risk import ROLLOUT_START, may_harm
from lab.clients.documents import AuditRow, Page
from lab.clients.times import epoch_seconds
from lab.drills.schema.record import Record
from lab.slo.model import PAGE
from lab.slo.rendering import series

ROLLOUT, WEIGHT = "rollout ", "canary weight"


def drills(records: Iterable[Record]) -> list[Span]:
    """A span for each drill, from the injection to the end of the run. A control injects nothing and has none."""
    return [
        Span(record.drill.id, Kind.DRILL, epoch_seconds(record.t0), epoch_seconds(record.ended_at))
        for record in records
        if record.prediction is not None
    ]


@dataclass(frozen=True)
class Reach:
    """How far a page's span reaches back from its alert: over bad events with less than `quiet_seconds` between them.

    At most `window_seconds`, the window in which they made the alert fire.
    """

    window_seconds: float
    quiet_seconds: float

    def onset(self, intervals: Iterable[Interval], fired: float) -> float:
        """The start of the bad events that led to an alert which fired at `fired` (epoch seconds)."""
        first = fired
        for interval in sorted(intervals, key=lambda interval: interval.end, reverse=True):
            if interval.bad and interval.start < fired:
                if interval.end < first - self.quiet_seconds:
                    break
                first = min(first, interval.start)
        return max(first, fired - self.window_seconds)


def pages(
    delivered: Iterable[Page],
    drilled: Sequence[Span],
    reach: Callable[[Page], Reach],
    sloth_id: str,
    intervals: Sequence[Interval],
) -> list[Span]:
    """A span for each page, for the ledger of the SLO `sloth_id` with these intervals; tickets have none.

    Pages of one alert that overlap are one span, named after the first. The page of a drill reaches back to the
    injection at most: what was before is not the drill's.
    """
    found: dict[str, list[Span]] = {}
    for page in sorted(delivered, key=lambda page: page.id):
        if page.severity != PAGE:
            continue
        fired = epoch_seconds(page.starts_at)
        injected = max((drill.start for drill in drilled if drill.start <= fired <= drill.end), default=-math.inf)
        span = Span(
            f"{page.alertname} (page {page.id})",
            Kind.PAGE if page.labels.get(series.LABEL_ID) == sloth_id else Kind.OTHER_PAGE,
            max(reach(page).onset(intervals, fired), injected),
            math.inf if page.resolved_at is None else epoch_seconds(page.resolved_at),
        )
        earlier = found.setdefault(page.alertname, [])
        if earlier and span.start <= earlier[-1].end:
            before = earlier.pop()
            span = replace(before, start=min(before.start, span.start), end=max(before.end, span.end))
        earlier.append(span)
    return [span for spans in found.values() for span in spans]


def changes(rows: Sequence[AuditRow], reach_seconds: float) -> list[Span]:
    """A span for each rollout and each other change of the audit log (`rows`, oldest first).

    It ends `reach_seconds` after the change, or after the last act of the rollout's controller. A canary weight above
    0, set by hand or by a rollout, lasts until the next one.
    """
    found: list[Span] = []
    started: AuditRow | None = None
    acts: list[AuditRow] = []
    for index, row in enumerate(rows):
        if row.action == ROLLOUT_START:
            found += _rollout(started, acts, reach_seconds)
            started, acts = row, []
            continue
        controlled = row.actor == names.ROLLOUT_CONTROLLER
        if controlled or (row.action == WEIGHT and _exposed(acts)):
            acts.append(row)
        if not controlled and may_harm(row) and not row.action.startswith(ROLLOUT):
            last = _first_weight(rows[index + 1 :]) if _exposes(row) else row
            name = f"{row.action} {row.target} by {row.actor}"
            found.append(Span(name, Kind.CHANGE, epoch_seconds(row.at), _until(last, reach_seconds)))
    return found + _rollout(started, acts, reach_seconds)


def _rollout(started: AuditRow | None, acts: Sequence[AuditRow], reach_seconds: float) -> list[Span]:
    """The span of a rollout that began with the row `started`; it goes on while the canary has clients."""
    if started is None:
        return []
    last = None if _exposed(acts) else [started, *acts][-1]
    name = f"rollout of {started.target} {started.new}"
    return [Span(name, Kind.ROLLOUT, epoch_seconds(started.at), _until(last, reach_seconds))]


def _first_weight(rows: Iterable[AuditRow]) -> AuditRow | None:
    return next((row for row in rows if row.action == WEIGHT), None)


def _exposed(acts: Sequence[AuditRow]) -> bool:
    """Whether the last weight that was set sends clients to the canary."""
    return _exposes(_first_weight(reversed(acts)))


def _exposes(row: AuditRow | None) -> bool:
    """Whether the row sends clients to the canary."""
    return row is not None and row.action == WEIGHT and isinstance(row.new, int | float) and row.new > 0


def _until(last: AuditRow | None, reach_seconds: float) -> float:
    return math.inf if last is None else epoch_seconds(last.at) + reach_seconds
