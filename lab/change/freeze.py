"""The freeze calendar of rules/policy/freeze.yml: spans of time in which the gate refuses changes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.change.policy import refuses
from lab.clients.times import epoch_seconds
from lab.drills.schema.parameters import one_of
from lab.errors import UsageError
from lab.paths import RULES
from lab.slo.catalogue import services
from lab.slo.specs.document import Node, read_documents

FILE = RULES / "policy" / "freeze.yml"
KEYS = ("name", "from", "until", "services", "refuses", "why")


@dataclass(frozen=True)
class Freeze:
    """One freeze. It begins at `start` and ends before `end`, UTC timestamps as in the file."""

    name: str
    start: str
    end: str
    services: tuple[str, ...]
    refuses: frozenset[str]
    why: str

    def applies(self, service: str, change: str, now: float) -> bool:
        """Whether it forbids such a change of the service at `now` (epoch seconds)."""
        in_time = epoch_seconds(self.start) <= now < epoch_seconds(self.end)
        return in_time and service in self.services and change in self.refuses

    def __str__(self) -> str:
        return f"freeze {self.name!r} until {self.end}: {self.why}"


def in_force(freezes: Iterable[Freeze], service: str, change: str, now: float) -> str:
    """The freeze that forbids such a change of the service at `now`, in a sentence; "" when none does."""
    return next((str(freeze) for freeze in freezes if freeze.applies(service, change, now)), "")


def read_freezes(file: Path = FILE) -> tuple[Freeze, ...]:
    """The calendar in `file`; empty without the file. Raises SpecError with file, line and key."""
    if not file.exists():
        return ()
    return tuple(
        _freeze(node)
        for document in read_documents(file, first_key="freezes")
        for node in document.mapping("freezes", required=("freezes",))["freezes"].items()
    )


def _freeze(node: Node) -> Freeze:
    keys = node.mapping(*KEYS, required=KEYS)
    start, end = (_instant(keys[name]) for name in ("from", "until"))
    if epoch_seconds(start) >= epoch_seconds(end):
        raise keys["until"].refuse(f"{end} must be after {start}")
    frozen = tuple(one_of(item, services()) for item in keys["services"].items())
    return Freeze(keys["name"].text(), start, end, frozen, refuses(keys["refuses"]), keys["why"].text())


def _instant(node: Node) -> str:
    text = node.text()
    try:
        epoch_seconds(text)
    except UsageError as error:
        raise node.refuse(str(error)) from None
    if not text.endswith("Z"):
        raise node.refuse(f"{text} must be in UTC and end with Z")
    return text
