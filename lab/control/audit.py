"""The audit trail of control actions: writes the intent first, then the outcome.

A control must work while the pager, which stores the trail, is down. A row that cannot be delivered is therefore
spooled (spool.py) and delivered at the next contact.
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
from lab.control.spool import Row, Spool
from lab.errors import LabError
from lab.names import ENV_ACTOR
from lab.paths import Home
from lab.plaintext import plain

ACTOR_CHARACTERS = 100
ABSENT = "\u2013"


def default_actor() -> str:
    """The actor of an audit row: FLEETOPS_ACTOR, else the user name, else "uid-N". At most ACTOR_CHARACTERS long."""
    if named := plain(os.environ.get(ENV_ACTOR, "")).strip():
        return named[:ACTOR_CHARACTERS]
    try:
        return plain(getpass.getuser())
    except (KeyError, OSError):  # a user id without a name, as in containers
        return f"uid-{os.getuid()}"


def stated(value: Any) -> str:
    """The old or new value of a row as text: `client_burst 20`, `off`, `version 0`.

    The console formats values the same way (docs/assets/console/dom.js).
    """
    if isinstance(value, dict):
        items = [(key, item) for key, item in value.items() if item != {}]
        texts = (stated(item) if isinstance(item, dict) else f"{key} {stated(item)}" for key, item in items)
        return ", ".join(texts) or ABSENT
    if isinstance(value, list):
        return f"{len(value)} items" if len(value) > 3 else ", ".join(stated(item) for item in value)
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return ABSENT
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass
class Change:
    """The values before and after an action, any JSON; the action fills in `old` and `new`."""

    old: Any = None
    new: Any = None


@dataclass(frozen=True)
class AuditTrail:
    """Writes audit rows to the pager, or to the spool while the pager is down."""

    pager: Pager
    spool: Spool
    actor: str = field(default_factory=default_actor)

    @classmethod
    def of(cls, home: Home, pager: Pager, actor: str | None = None) -> AuditTrail:
        """The audit trail of the lab in `home`, under the name `actor`, or that of `default_actor`."""
        return cls(pager, Spool.of(home), actor or default_actor())

    @contextmanager
    def action(self, action: str, target: str, *, new: Any = None, reason: str = "") -> Iterator[Change]:
        """Record the intent, run the body, then record the outcome: done or failed. Re-raises the body's error."""
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
            failure = str(error) if isinstance(error, LabError) else type(error).__name__
            self.deliver({**row, "old": change.old, "new": change.new, "outcome": "failed", "reason": failure})
            raise
        self.deliver({**row, "old": change.old, "new": change.new, "outcome": "done"})

    def deliver(self, row: Row) -> None:
        """Send the spooled rows, then `row`, to the pager; spool it when the pager does not answer."""
        self.spool.deliver(self.pager.record, row)

    def flush(self) -> None:
        """Send the spooled rows, if the pager answers."""
        self.spool.deliver(self.pager.record)
