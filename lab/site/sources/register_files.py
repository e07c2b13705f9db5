"""The registers of risks and action items, two YAML files beside this module. Unknown keys and values are refused."""

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
    """The meaning of an action item's priority, and the days from the incident within which it is due."""

    means: str
    days: int


PRIORITIES = {
    "P1": Priority("The same fault would do the same harm again. Goes before any work that can wait.", 14),
    "P2": Priority("The same fault would be found late or mitigated slowly.", 91),
    "P3": Priority("A similar fault would do more harm than necessary.", 182),
}


@dataclass(frozen=True)
class Risk:
    """A risk: what may go wrong, the alert that would detect it, and the drill that proves this."""

    id: str
    title: str
    cause: str
    likelihood: str
    impact: str
    alert: str
    drill: str  # "" while no drill covers it
    control: str
    owner: str


@dataclass(frozen=True)
class ActionItem:
    """An action item: work that follows from an incident, and the proof that it is done."""

    id: str
    incident: str
    type: str
    text: str
    owner: str
    status: str
    priority: str  # one of PRIORITIES
    due: date | None  # None once the item is done
    proof: str


Row = TypeVar("Row", Risk, ActionItem)


def risks(file: Path = RISKS) -> list[Risk]:
    """Every risk, in the order of the file. Raises SpecError that names the line and key of a bad row."""
    keys = ("id", "title", "cause", "likelihood", "impact", "alert", "control", "owner")
    rows = []
    for node in _rows(file):
        row = node.mapping(*keys, "drill", required=keys)
        texts = {key: row[key].text() for key in keys}
        drill = row["drill"].text() if "drill" in row else ""
        for key in ("likelihood", "impact"):
            _one_of(row[key], LEVELS)
        rows.append(Risk(drill=drill, **texts))
    return _unique(rows, file)


def action_items(file: Path = ACTION_ITEMS) -> list[ActionItem]:
    """Every action item, in the order of the file. Raises SpecError that names the line and key of a bad row."""
    keys = ("id", "incident", "type", "text", "owner", "status", "priority", "due", "proof")
    rows = []
    for node in _rows(file):
        row = node.mapping(*keys, required=tuple(key for key in keys if key != "due"))
        _one_of(row["type"], TYPES)
        _one_of(row["status"], STATUSES)
        _one_of(row["priority"], tuple(PRIORITIES))
        texts = {key: row[key].text() for key in keys if key != "due"}
        is_open = row["status"].text() == "open"
        if is_open and "due" not in row:
            raise node.refuse("due is missing, which every open item has")
        if not is_open and "due" in row:
            raise row["due"].refuse("an item that is done has no due date; remove it")
        rows.append(ActionItem(due=_day(row["due"]) if is_open else None, **texts))
    return _unique(rows, file)


def _rows(file: Path) -> list[Node]:
    (document,) = read_documents(file)
    return document.items()


def _one_of(node: Node, known: tuple[str, ...]) -> None:
    if node.text() not in known:
        raise node.refuse(f"{node.text()!r} must be one of {', '.join(known)}")


def _day(node: Node) -> date:
    try:
        return date.fromisoformat(node.text())
    except ValueError:
        raise node.refuse(f"{node.text()!r} is not a date such as 2026-12-31") from None


def _unique(rows: list[Row], file: Path) -> list[Row]:
    ids = [row.id for row in rows]
    for ident in ids:
        if ids.count(ident) > 1:
            raise SpecError(file, "appears twice; give each row its own id", key=ident)
    return rows
