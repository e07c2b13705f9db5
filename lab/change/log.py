"""The change log: the audit log as changes, each with its risk class, its rollback plan and what came of it. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from lab import names
from lab.change import ask
from lab.change.risk import (
    CONFIG_PUSH,
    EMERGENCY,
    EMERGENCY_REASON,
    KINDS,
    OVERRIDE,
    ROLLOUT_END,
    ROLLOUT_START,
    STAGED,
    STANDARD,
    TAKES_BACK,
    Kind,
    Risk,
    alters,
    take_back,
)
from lab.clients.documents import AuditRow, Document, Page
from lab.clients.times import epoch_seconds
from lab.control.audit import stated
from lab.drills.evidence import milestones
from lab.drills.evidence.definitions import Change as Setting
from lab.drills.undo.journal import CLEANER
from lab.slo.model import PAGE

# pending: begun, and not known to have ended. fixed: the same setting was changed again while an alert fired that came
# after the change. promoted and aborted are those of a rollout.
Outcome = Literal["pending", "done", "failed", "promoted", "aborted", "taken back", "fixed"]
IN_EFFECT = ("pending", "done", "promoted")
# Fires after every restart, and a configuration push restarts: it says nothing of the change.
ALERTS_OF_RESTARTS = frozenset({"ProcessRestarted"})


class Change(Document, frozen=True, kw_only=True):
    """One change. `take_back` is the command that takes it back, "" when there is none.

    `ended_at` is when it ended, was taken back or was fixed; `restored_at` when, of a failed change, that was done and
    every page that came in between had resolved, or every ticket where no page came. Both are None before that.
    """

    id: str
    at: str
    by: str
    action: str
    target: str
    what: str
    risk: Risk
    reason: str
    take_back: str
    outcome: Outcome
    ended_at: str | None = None
    restored_at: str | None = None

    @property
    def failed(self) -> bool:
        """Whether it needed intervention. An emergency change that is taken back has done its work."""
        if self.outcome == "taken back":
            return self.risk != EMERGENCY
        return self.outcome in ("failed", "aborted", "fixed")

    @property
    def recovery_seconds(self) -> float | None:
        """From the change to its recovery, of a failed change; None before it, and without a failure."""
        if not self.failed or self.restored_at is None:
            return None
        return epoch_seconds(self.restored_at) - epoch_seconds(self.at)


class Mark(Document, frozen=True, kw_only=True):
    """An action that altered something, as a chart marks it: when, what and by whom."""

    at: str
    what: str
    by: str


@dataclass(frozen=True)
class Figures:
    """How changes went: their number, how many failed, and the seconds to the recovery of those that recovered."""

    changes: int
    failed: int
    recovery_seconds: tuple[float, ...]

    @property
    def failure_rate(self) -> float | None:
        """The failed changes as a part of all (0 to 1); None without changes."""
        return self.failed / self.changes if self.changes else None

    @property
    def median_recovery_seconds(self) -> float | None:
        """The median time from a failed change to its recovery; None without one."""
        return statistics.median(self.recovery_seconds) if self.recovery_seconds else None


def figures(log: Iterable[Change]) -> Figures:
    """The figures of changes. One that is pending has no result, and does not count."""
    known = [change for change in log if change.outcome != "pending"]
    recovered = [change.recovery_seconds for change in known]
    return Figures(
        len(known), sum(change.failed for change in known), tuple(each for each in recovered if each is not None)
    )


def marks(rows: Iterable[AuditRow]) -> list[Mark]:
    """Every action that altered something, the steps of a rollout and what took a change back included."""
    return [Mark(at=row.at, what=milestones.change(_plain(row)), by=row.actor) for row in rows if alters(row)]


def changes(rows: Iterable[AuditRow], pages: Sequence[Page]) -> list[Change]:
    """The changes in audit rows, oldest first. `pages` are the pages and tickets of the same time."""
    log = _Log(pages)
    for row in sorted(rows, key=lambda row: row.at):
        log.add(row)
    return log.finished()


class _Log:
    """The log while it is read, row by row. `held` has, by setting, the changes in effect and their old values."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self.pages = [page for page in pages if page.alertname not in ALERTS_OF_RESTARTS]
        self.changes: list[Change] = []
        self.held: dict[str, list[tuple[int, Any]]] = {}
        self.rollout: int | None = None
        self.overrides: list[AuditRow] = []

    def add(self, row: AuditRow) -> None:
        """Read one row; callers pass them in the order of their time."""
        settings = _settings(row)
        if row.action == OVERRIDE:
            self.overrides.append(row)
        elif row.actor == names.ROLLOUT_CONTROLLER:
            self._of_rollout(row, settings)
        elif row.action in TAKES_BACK or row.action in KINDS:
            reverted = [_is_unchanged(setting) or self._revert(setting, row.at) for setting in settings]
            if row.action in TAKES_BACK:
                self._take_back_last(row, any(reverted))
            elif row.actor != CLEANER and not (settings and all(reverted)):
                self._new(row, KINDS[row.action], settings)

    def _new(self, row: AuditRow, kind: Kind, settings: list[Setting]) -> None:
        for setting in settings:
            if _is_unchanged(setting):
                continue
            held = self.held.setdefault(setting.what, [])
            if held and setting.old is not None:
                index, before = held[-1][0], self.changes[held[-1][0]]
                if kind.continues:
                    further = f"{before.what} → {stated(setting.new)}"
                    self.changes[index] = msgspec.structs.replace(before, what=further)
                    return
                if any(before.at < page.received_at for page in self._open(row.at)):
                    self._end(index, "fixed", row.at)
            held.append((len(self.changes), setting.old))
        outcome: Outcome = row.outcome
        if row.action == ROLLOUT_START and outcome == "done":
            self.rollout, outcome = len(self.changes), "pending"
        self.changes.append(
            Change(
                id=row.id, at=row.at, action=row.action, by=row.actor, what=milestones.change(_plain(row)),
                target=row.target, risk=self._risk(row, kind), reason=row.reason, take_back=take_back(row),
                outcome=outcome,
                ended_at=row.at if outcome == "failed" else None,
            )
        )  # fmt: skip

    def _of_rollout(self, row: AuditRow, settings: list[Setting]) -> None:
        """What the controller did belongs to its rollout, so taking back the promoted version takes that back."""
        if self.rollout is None or row.outcome == "failed":
            return
        # The journal has the end before its row is done, so the row of a controller that was killed stays pending.
        if row.action == ROLLOUT_END:
            self._end(self.rollout, "promoted" if row.new == "promoted" else "aborted", row.at)
            if row.new == "promoted":
                plan = f"fleetops config rollback {row.target}"
                self.changes[self.rollout] = msgspec.structs.replace(self.changes[self.rollout], take_back=plan)
            self.rollout = None
        elif row.outcome == "done" and row.action == CONFIG_PUSH and row.target == self.changes[self.rollout].target:
            for setting in settings:
                self.held.setdefault(setting.what, []).append((self.rollout, setting.old))

    def _revert(self, setting: Setting, at: str) -> bool:
        """Whether a setting is again what it was before a change: that one and all after it are taken back."""
        held = self.held.get(setting.what, [])
        first = next((place for place, (_, old) in enumerate(held) if old is not None and old == setting.new), None)
        if first is None:
            return False
        self.held[setting.what], gone = held[:first], held[first:]
        in_effect = {index for rows in self.held.values() for index, _ in rows}
        for index, _ in gone:
            if index not in in_effect:
                self._end(index, "taken back", at)
        return True

    def _take_back_last(self, row: AuditRow, reverted: bool) -> None:
        """The last change of the same target, where no setting says which: a pause, or a push before the first row."""
        if row.outcome == "done" and not reverted:
            made = (TAKES_BACK[row.action], row.target)
            same = [at for at, change in enumerate(self.changes) if (change.action, change.target) == made]
            for index in [index for index in same if self.changes[index].outcome in IN_EFFECT][-1:]:
                self._end(index, "taken back", row.at)

    def _end(self, index: int, outcome: Outcome, at: str) -> None:
        if self.changes[index].outcome in IN_EFFECT:
            self.changes[index] = msgspec.structs.replace(self.changes[index], outcome=outcome, ended_at=at)

    def _risk(self, row: AuditRow, kind: Kind) -> Risk:
        if any(page.severity == PAGE for page in self._open(row.at)) or row.reason.startswith(EMERGENCY_REASON):
            return EMERGENCY
        if any(_overrides(override, row, kind) for override in self.overrides):
            return EMERGENCY
        staged = row.action == CONFIG_PUSH and isinstance(row.new, dict) and STAGED in row.new
        return STANDARD if staged else kind.risk

    def _open(self, at: str) -> list[Page]:
        return [page for page in self.pages if page.received_at <= at and (page.resolved_at or "~") > at]

    def finished(self) -> list[Change]:
        """The changes, with the recovery of those that failed."""
        return [msgspec.structs.replace(change, restored_at=self._restored_at(change)) for change in self.changes]

    def _restored_at(self, change: Change) -> str | None:
        if not change.failed or change.outcome == "failed" or change.ended_at is None:
            return None
        alerts = [page for page in self.pages if change.at < page.received_at <= change.ended_at]
        ends = [page.resolved_at for page in [page for page in alerts if page.severity == PAGE] or alerts]
        known = [end for end in ends if end]
        return max([change.ended_at, *known]) if len(known) == len(ends) else None


def _settings(row: AuditRow) -> list[Setting]:
    """The settings that a row set. A rollout has those of its controller's rows."""
    if row.action == ROLLOUT_START or (row.action in KINDS and not KINDS[row.action].back):
        return []
    return milestones.changes([_plain(row)], 0.0)


def _plain(row: AuditRow) -> AuditRow:
    """A row whose new value is that of the settings alone."""
    if not isinstance(row.new, dict) or STAGED not in row.new:
        return row
    return msgspec.structs.replace(row, new={key: value for key, value in row.new.items() if key != STAGED})


def _is_unchanged(setting: Setting) -> bool:
    return setting.old is not None and setting.old == setting.new


def _overrides(override: AuditRow, row: AuditRow, kind: Kind) -> bool:
    """Whether an override of the error-budget policy covered a change when it was made."""
    if override.outcome != "done" or override.new["change"] != kind.gate:
        return False
    return override.at <= row.at < override.new["until"] and override.target in ask.affected(row.target)
