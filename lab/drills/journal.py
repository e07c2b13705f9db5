"""What a drill must put back, written down before it touches anything.

The journal holds each fault of the drill with what it found, the control state as the drill found it, and the instant
at which all of that expires. Whoever finds one that no living drill holds (the guard, the next drill, `fleetops up`,
`doctor` or `drill undo`) undoes it, so even a drill that was killed leaves nothing behind.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.control.desk import Desk
from lab.drills.faults import Doors, Fault, as_json, of_json
from lab.drills.snapshot import restore, take
from lab.durable import write_json
from lab.errors import LabError, UsageError
from lab.oncall.times import utc_text
from lab.places import Home

CLEANER = "drill-cleanup"
RANDOM = "random"  # what a drill is called that nobody is told before its verdict


def journal_path(home: Home) -> Path:
    """Where the journal of a running (or killed) drill lies."""
    return home.data / "drill.journal.json"


@contextmanager
def exclusive(home: Home) -> Iterator[None]:
    """Hold the lab for one drill; UsageError when another one runs."""
    with _locked(home.run / "drill.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
        yield


@contextmanager
def undoing(
    desk: Desk,
    drill_id: str,
    faults: Sequence[Fault] = (),
    expires_at: float = float("inf"),
    *,
    blind: bool = False,
) -> Iterator[None]:
    """Undo the faults and put the control state back when the body ends, however it ends. Hold `exclusive` around it.

    `expires_at` (epoch seconds) is when somebody else may do it, although the drill still runs. `blind`: whoever is on
    call must not be told which drill this is.
    """
    doors = Doors(desk)
    entry = {
        "drill": drill_id,
        "blind": blind,
        "pid": os.getpid(),
        "at": utc_text(time.time()),
        "expires_at": utc_text(expires_at) if expires_at != float("inf") else None,
        "faults": [{"fault": as_json(fault), "found": fault.found(doors)} for fault in faults],
        "state": take(desk),
    }
    write_json(journal_path(desk.home), entry)
    try:
        yield
    finally:
        undo(desk)


def undo(desk: Desk, of_process: int | None = None) -> list[str]:
    """Put back what the journal holds, the last fault first, and remove it; what was changed, one line each.

    With `of_process`, only a journal which that process wrote. LabError when something could not be put back: all the
    rest has been, and the journal stays for the next try.
    """
    path = journal_path(desk.home)
    with _locked(desk.home.run / "undo.lock", fcntl.LOCK_EX):
        entry = _entry(path)
        if entry is None or of_process not in (None, entry["pid"]):
            return []
        cleaner, changed, problems = desk.acting_as(CLEANER), [], []
        doors = Doors(cleaner)
        for fault, found in _faults(path, entry)[::-1]:
            try:
                changed += fault.undo(doors, found)
            except LabError as error:
                problems.append(f"{fault.kind}: {error}")
        try:
            changed += restore(cleaner, entry["state"], reason=f"undo drill {entry['drill']}")
        except LabError as error:
            if not problems:
                raise
            problems.append(str(error))
        if problems:
            raise LabError(
                f"drill {entry['drill']} is not all undone ({'; '.join(problems)}); 'fleetops drill undo' tries again"
            )
        path.unlink()
    return changed


def undo_at_rest(desk: Desk) -> list[str]:
    """Before a start of the lab: put back files that would keep it from starting. The journal stays for the rest."""
    path = journal_path(desk.home)
    if (entry := _entry(path)) is None:
        return []
    doors = Doors(desk.acting_as(CLEANER))
    return [line for fault, found in _faults(path, entry)[::-1] for line in fault.undo_at_rest(doors, found)]


def undo_left_over(desk: Desk) -> list[str]:
    """Undo what a killed drill left, unless a drill is running now; returns what was changed."""
    if not journal_path(desk.home).exists():
        return []
    try:
        with exclusive(desk.home):
            return undo(desk)
    except UsageError:
        return []


def running(home: Home) -> bool:
    """Whether a drill holds the lab now."""
    try:
        with exclusive(home):
            return False
    except UsageError:
        return True


def current(home: Home) -> dict[str, Any] | None:
    """The journal as it is now (drill, pid, at, …), or None when there is none."""
    return _entry(journal_path(home))


def shown(home: Home) -> dict[str, Any] | None:
    """What anybody may know of the drill in the journal: its `id` (RANDOM for one that is blind) and its `pid`."""
    entry = current(home)
    return entry and {"id": RANDOM if entry.get("blind") else entry["drill"], "pid": entry["pid"]}


def _entry(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise LabError(f"{path} is damaged ({error}); look at 'fleetops canary weight', then delete it") from error


def _faults(path: Path, entry: dict[str, Any]) -> list[tuple[Fault, dict[str, Any]]]:
    return [(of_json(row["fault"], str(path)), row["found"]) for row in entry.get("faults", [])]


@contextmanager
def _locked(file: Path, how: int) -> Iterator[None]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as lock:
        try:
            fcntl.flock(lock, how)
        except BlockingIOError:
            lock.seek(0)
            raise UsageError(f"a drill is running already ({lock.read().strip()}); one at a time") from None
        lock.seek(0)
        lock.truncate()
        lock.write(f"process {os.getpid()}")
        lock.flush()
        yield
