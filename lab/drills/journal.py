"""What a drill must put back, written down before it touches anything.

The journal holds the control state as the drill found it. Whoever finds one that no living drill holds (the next
drill, the next `fleetops up`) puts that state back, so even a drill that was killed leaves nothing behind.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.control.desk import Desk
from lab.drills.snapshot import restore, take
from lab.durable import write_json
from lab.errors import LabError, UsageError
from lab.oncall.times import utc_text
from lab.places import Home

CLEANER = "drill-cleanup"


def journal_path(home: Home) -> Path:
    """Where the journal of a running (or killed) drill lies."""
    return home.data / "drill.journal.json"


@contextmanager
def exclusive(home: Home) -> Iterator[None]:
    """Hold the lab for one drill; UsageError when another one runs."""
    home.run.mkdir(parents=True, exist_ok=True)
    with (home.run / "drill.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise UsageError(f"a drill is running already ({lock.read().strip()}); one at a time") from None
        lock.seek(0)
        lock.truncate()
        lock.write(f"process {os.getpid()}")
        lock.flush()
        yield


@contextmanager
def undoing(desk: Desk, drill_id: str) -> Iterator[None]:
    """Put the control state back when the body ends, however it ends. Hold `exclusive` around it."""
    path = journal_path(desk.home)
    write_json(path, {"drill": drill_id, "pid": os.getpid(), "at": utc_text(time.time()), "state": take(desk)})
    try:
        yield
    finally:
        undo(desk)


def undo(desk: Desk) -> list[str]:
    """Put back what the journal holds, and remove it; returns what was changed, one line each."""
    path = journal_path(desk.home)
    try:
        entry = json.loads(path.read_text())
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise LabError(f"{path} is damaged ({error}); look at 'fleetops canary weight', then delete it") from error
    changed = restore(desk.acting_as(CLEANER), entry["state"], reason=f"undo drill {entry['drill']}")
    path.unlink()
    return changed


def undo_left_over(desk: Desk) -> list[str]:
    """Undo what a killed drill left, unless a drill is running now; returns what was changed."""
    if not journal_path(desk.home).exists():
        return []
    try:
        with exclusive(desk.home):
            return undo(desk)
    except UsageError:
        return []
