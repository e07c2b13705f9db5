"""The change log on pages: risk classes, the checklist of a change, and how the recorded changes went."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from lab import units
from lab.change import log
from lab.change.freeze import read_freezes
from lab.change.log import Change
from lab.change.policy import REFUSABLE
from lab.change.risk import CONFIG_PUSH, KINDS, MEANS, RISKS, ROLLOUT_START, STANDARD
from lab.clients.times import epoch_seconds, utc_text
from lab.errors import LabError
from lab.paths import ROOT
from lab.rollout.record import ChangeRecord, PushRecord, RolloutRecord
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources.context import SiteContext
from lab.site.sources.records import Record

TEMPLATE = ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md"
CHECKLIST, BOX = "## Risk\n", "- [ ] "


def risk_classes(_context: SiteContext) -> Markup:
    """Each risk class with its meaning, and each audited action with its class and its way back."""
    classes = html.table(("Class", "Meaning"), [(risk, MEANS[risk]) for risk in RISKS], label="Risk classes")
    rows = [
        (action, kind.risk, html.code(kind.back, wrap=True) if kind.back else "none: it changes no setting")
        for action, kind in KINDS.items()
    ]
    actions = html.table(("Action", "Class", "Taken back with"), rows, label="Actions by risk class")
    return classes + html.details("The class of every action, and its way back", actions)


def change_checklist(_context: SiteContext) -> str:
    """The checklist of a change, from the template of pull requests. LabError when it has none."""
    section = TEMPLATE.read_text(encoding="utf-8").partition(CHECKLIST)[2].partition("\n## ")[0]
    items = [line.removeprefix(BOX) for line in section.splitlines() if line.startswith(BOX)]
    if not items:
        raise LabError(f"{TEMPLATE.name} has no checklist below {CHECKLIST.strip()!r}")
    return "\n".join(f"- {item}" for item in items)


def freeze_calendar(context: SiteContext) -> Markup:
    """The freezes of the calendar, the earliest first."""
    freezes = sorted(
        read_freezes(context.rules / "policy" / "freeze.yml"), key=lambda freeze: epoch_seconds(freeze.start)
    )
    rows = [
        (
            freeze.name, units.minute(freeze.start), units.minute(freeze.end), ", ".join(freeze.services),
            ", ".join(change for change in REFUSABLE if change in freeze.refuses), freeze.why,
        )
        for freeze in freezes
    ]  # fmt: skip
    return html.table(("Freeze", "From", "Until", "Services", "Refused", "Why"), rows, label="Freeze calendar")


def change_figures(context: SiteContext) -> Markup:
    """How the recorded changes went, by risk class: number, failed, change failure rate, and recovery time."""
    changes = _recorded(context)
    rows = []
    for name, some in (*((risk, [row for row in changes if row.risk == risk]) for risk in RISKS), ("all", changes)):
        found = log.figures(some)
        rate, recovery = found.failure_rate, found.median_recovery_seconds
        rows.append(
            (
                name, found.changes, found.failed, units.ABSENT if rate is None else units.percent(rate, 0),
                units.ABSENT if recovery is None else units.tenths(recovery),
            )
        )  # fmt: skip
    head = ("Risk class", "Changes", "Failed", "Change failure rate", f"Median recovery (lab time, {context.factor}x)")
    return html.table(head, rows, label="How changes went", numeric=True)


def change_population(context: SiteContext) -> str:
    """The evidence of `change_figures` in words: `the records of 18 drills, 2 rollouts and no staged …`."""
    rollouts = sum(isinstance(record, RolloutRecord) for record in context.rollouts)
    pushes = sum(isinstance(record, PushRecord) for record in context.rollouts)
    return (
        f"the records of {_number(len(list(context.records)), 'drill')}, {_number(rollouts, 'rollout')}"
        f" and {_number(pushes, 'staged configuration push', 'staged configuration pushes')}"
    )


def _number(number: int, one: str, more: str = "") -> str:
    return f"{number or 'no'} {one if number < 2 else more or f'{one}s'}"


def _recorded(context: SiteContext) -> list[Change]:
    drills = [change for record in context.records for change in of_drill(record)]
    return drills + [change for found in context.rollouts if (change := _of_record(found)) is not None]


def of_drill(record: Record) -> Sequence[Change]:
    """The changes of a drill. The SLI shows the recovery better than the alert, which may be slow to resolve."""
    changes = log.changes(record.data.actions, record.data.pages)
    took = record.data.durations.mttr_seconds or record.data.durations.resolved_seconds
    if took is None:
        return changes
    restored_at = utc_text((record.t0 + timedelta(seconds=took)).timestamp())
    return [
        msgspec.structs.replace(change, restored_at=restored_at) if change.restored_at else change for change in changes
    ]


def _of_record(found: ChangeRecord) -> Change | None:
    """The change of a record; None of one that was refused."""
    match found:
        case RolloutRecord():
            return _of_rollout(found)
        case PushRecord():
            return _of_push(found)
    return None


def _of_push(found: PushRecord) -> Change:
    taken_back = found.outcome == "taken back"
    return Change(
        id=found.id, at=found.started_at, by=found.by, action=CONFIG_PUSH, target=found.service,
        what=f"config push {found.service} {found.settings}", risk=STANDARD, reason=found.reason, take_back="",
        outcome="taken back" if taken_back else "done", ended_at=found.ended_at,
        restored_at=found.ended_at if taken_back else None,
    )  # fmt: skip


def _of_rollout(found: RolloutRecord) -> Change:
    start, end = found.events[0], found.events[-1]
    return Change(
        id=found.id, at=start.at, by=start.by, action=ROLLOUT_START, target=found.service,
        what=f"rollout of {found.service}: {found.previous} → {found.version}", risk=STANDARD, reason=start.reason,
        take_back="", outcome=found.outcome, ended_at=end.at,
        restored_at=end.at if found.outcome == "aborted" else None,
    )  # fmt: skip


VIEWS = (risk_classes, change_checklist, freeze_calendar, change_figures, change_population)
