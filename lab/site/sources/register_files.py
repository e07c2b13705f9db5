"""The two registers kept as data beside the site: risks and action items. What they do not know is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

from lab.errors import SpecError
from lab.slo.specs.document import Node, read_documents

HERE = Path(__file__).parent
RISKS = HERE / "risks.yml"
ACTION_ITEMS = HERE / "action_items.yml"
LEVELS = ("low", "medium", "high")
TYPES = ("prevent", "detect", "mitigate")
STATUSES = ("done", "open")


@dataclass(frozen=True)
class Priority:
    """What an action item's priority means, and within how many days of the incident it is due."""

    means: str
    days: int


PRIORITIES = {
    "P1": Priority("The same fault would do the same harm again. Nothing that can wait goes before it.", 14),
    "P2": Priority("The same fault would be found late or mitigated slowly.", 91),
    "P3": Priority("A fault like it would do more harm than it must.", 182),
}


@dataclass(frozen=True)
class Risk:
    """What may go wrong, how it would be seen, and what proves that."""

    id: str
    title: str
    cause: str
    likelihood: str
    impact: str
    alert: str
    drill: str  # empty: no drill yet
    control: str
    owner: str


@dataclass(frozen=True)
class ActionItem:
    """What an incident left to do, and what proves that it is done."""

    id: str
    incident: str
    type: str
    text: str
    owner: str
    status: str
    priority: str  # one of PRIORITIES
    due: date  # of what is done: the date it was due
    proof: str


Row = TypeVar("Row", Risk, ActionItem)


def risks(file: Path = RISKS) -> list[Risk]:
    """Every risk, as ordered in the file."""
    keys = ("id", "title", "cause", "likelihood", "impact", "alert", "control", "owner")
    found = []
    for node in _rows(file):
        row = node.mapping(*keys, "drill", required=keys)
        texts = {key: row[key].text() for key in keys}
        drill = row["drill"].text() if "drill" in row else ""
        for key in ("likelihood", "impact"):
            _one_of(row[key], LEVELS)
        found.append(Risk(drill=drill, **texts))
    return _unique(found, file)


def action_items(file: Path = ACTION_ITEMS) -> list[ActionItem]:
    """Every action item, as ordered in the file."""
    keys = ("id", "incident", "type", "text", "owner", "status", "priority", "due", "proof")
    found = []
    for node in _rows(file):
        row = node.mapping(*keys, required=keys)
        _one_of(row["type"], TYPES)
        _one_of(row["status"], STATUSES)
        _one_of(row["priority"], tuple(PRIORITIES))
        texts = {key: row[key].text() for key in keys if key != "due"}
        found.append(ActionItem(due=_day(row["due"]), **texts))
    return _unique(found, file)


def _rows(file: Path) -> list[Node]:
    (document,) = read_documents(file)
    return document.items()


def _one_of(node: Node, known: tuple[str, ...]) -> None:
    if node.text() not in known:
        raise node.refuse(f"{node.text()!r} is none of {', '.join(known)}")


def _day(node: Node) -> date:
    try:
        return date.fromisoformat(node.text())
    except ValueError:
        raise node.refuse(f"{node.text()!r} is not a date such as 2026-12-31") from None


def _unique(rows: list[Row], file: Path) -> list[Row]:
    ids = [row.id for row in rows]
    for ident in ids:
        if ids.count(ident) > 1:
            raise SpecError(file, "is there twice", key=ident)
    return rows
