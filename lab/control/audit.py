"""The audit trail of control actions: writes the intent first, then the outcome.

A control must work when the pager does not (it may be the pager that is broken), so a row that cannot be delivered
waits (spool.py) and is delivered with the next contact.
"""

from __future__ import annotations

import getpass
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lab.clients.pager import Pager
from lab.clients.times import utc_text
from lab.control.spool import Spool
from lab.errors import LabError
from lab.names import ENV_ACTOR
from lab.paths import Home
from lab.plaintext import plain

ACTOR_CHARACTERS = 100
ABSENT = "\u2013"


def default_actor() -> str:
    """Who acts: FLEETOPS_ACTOR, else the name of the person at the keyboard."""
    if named := plain(os.environ.get(ENV_ACTOR, "")).strip():
        return named[:ACTOR_CHARACTERS]
    try:
        return plain(getpass.getuser())
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
    """Where audit rows go: the pager, or the spool until it answers."""

    pager: Pager
    spool: Spool
    actor: str = field(default_factory=default_actor)

    @classmethod
    def of(cls, home: Home, pager: Pager, actor: str | None = None) -> AuditTrail:
        """The trail of the lab in `home`."""
        return cls(pager, Spool.of(home), actor or default_actor())

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
        """Hand `row` to the pager, after what waits; it waits too when the pager does not answer."""
        self.spool.deliver(self.pager.record, row)

    def flush(self) -> None:
        """Deliver what waits, if the pager answers."""
        self.spool.deliver(self.pager.record)
