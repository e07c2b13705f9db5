"""The audit trail of control actions: the intent before the deed, then what came of it.

A control must work when the pager does not (it may be the pager that is broken), so a row that cannot be delivered is
kept in a JSONL file and delivered with the next contact. Rows carry their own ids: sending one twice is harmless.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from lab.errors import LabError
from lab.names import ENV_ACTOR
from lab.oncall.client import Pager
from lab.oncall.times import utc_text
from lab.places import Home

ACTOR_CHARACTERS = 100
ABSENT = "\u2013"


def default_actor() -> str:
    """Who acts: FLEETOPS_ACTOR, else the name of the person at the keyboard."""
    if named := os.environ.get(ENV_ACTOR, "").strip():
        return named[:ACTOR_CHARACTERS]
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, as in containers
        return f"uid-{os.getuid()}"


def stated(value: Any) -> str:
    """What a row says was or became, in words: `client_burst 20`, `off`, `version 0`.

    The console says it alike: docs/assets/console/dom.js.
    """
    if isinstance(value, dict):
        named = [(key, item) for key, item in value.items() if item != {}]
        return ", ".join(stated(v) if isinstance(v, dict) else f"{key} {stated(v)}" for key, v in named) or ABSENT
    if isinstance(value, list):
        return f"{len(value)} items" if len(value) > 3 else ", ".join(stated(item) for item in value)
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return ABSENT
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass
class Change:
    """What an action found and left; the action fills in `old` and `new`."""

    old: Any = None
    new: Any = None


@dataclass(frozen=True)
class AuditTrail:
    """Where audit rows go: the pager, or the spool file until it answers."""

    pager: Pager
    spool: Path
    actor: str = field(default_factory=default_actor)

    @classmethod
    def of(cls, home: Home, pager: Pager, actor: str | None = None) -> AuditTrail:
        """The trail of the lab in `home`."""
        return cls(pager, home.data / "audit-spool.jsonl", actor or default_actor())

    @contextmanager
    def action(self, action: str, target: str, *, new: Any = None, reason: str = "") -> Iterator[Change]:
        """Record the intent, run the body, record what came of it; the body's error passes through."""
        change = Change(new=new)
        row = {
            "id": uuid.uuid4().hex,
            "at": utc_text(time.time()),
            "actor": self.actor,
            "action": action,
            "target": target,
            "old": None,
            "new": new,
            "outcome": "pending",
            "reason": reason,
        }
        self.deliver(row)
        try:
            yield change
        except BaseException as error:
            why = str(error) if isinstance(error, LabError) else type(error).__name__
            self.deliver({**row, "old": change.old, "new": change.new, "outcome": "failed", "reason": why})
            raise
        self.deliver({**row, "old": change.old, "new": change.new, "outcome": "done"})

    def deliver(self, row: dict[str, Any]) -> None:
        """Hand `row` to the pager, after what waits in the spool; into the spool when the pager does not take it."""
        with self._spooled() as (file, waiting):
            if not (self._send_waiting(file, waiting) and self._sent(row)):
                file.seek(0, os.SEEK_END)
                file.write(b"\n" + json.dumps(row).encode() + b"\n")  # after a torn line, if a writer was killed in one
                file.flush()
                os.fsync(file.fileno())

    def flush(self) -> None:
        """Deliver what waits in the spool, if the pager answers."""
        if self.spool.exists():
            with self._spooled() as (file, waiting):
                self._send_waiting(file, waiting)

    def _send_waiting(self, file: IO[bytes], waiting: list[dict[str, Any]]) -> bool:
        # All or nothing: what was delivered already is delivered again next time, which changes nothing.
        if not all(self._sent(row) for row in waiting):
            return False
        if waiting:
            file.truncate(0)
        return True

    def _sent(self, row: dict[str, Any]) -> bool:
        try:
            self.pager.record(row)
        except LabError:
            return False
        return True

    @contextmanager
    def _spooled(self) -> Iterator[tuple[IO[bytes], list[dict[str, Any]]]]:
        self.spool.parent.mkdir(parents=True, exist_ok=True)
        with self.spool.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            yield file, [row for line in file if (row := _decoded(line)) is not None]


def _decoded(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
