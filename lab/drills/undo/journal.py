"""The journal of a drill: the state to restore, written before the drill changes anything.

It holds the drill's faults with the state that each captured, the control state, and the time at which both expire. A
journal without a running drill is undone by the watchdog, the next drill, `fleetops up`, `doctor` or `drill undo`,
whichever comes first, so a drill that was killed leaves nothing behind.

The journal of a blind drill must not reveal the fault, yet any process must be able to undo it. It therefore holds
every fault of the catalogue, since undoing a fault that was never injected changes nothing, and it is packed, so that
its first entry is not mistaken for the answer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.atomic_write import write_json
from lab.clients.documents import as_builtins
from lab.clients.times import utc_text
from lab.control.lab_clients import LabClients
from lab.drills.faults import Fault, FaultContext, as_json
from lab.drills.schema.journal import Captured, Journal, JournalledFault, ToUndo
from lab.drills.undo.journal_file import RANDOM, DamagedJournal, journal_path, packed, read, readable
from lab.drills.undo.snapshot import restore, take
from lab.errors import LabError, NotRunning, UsageError
from lab.file_lock import LockHeld, held
from lab.paths import Home

CLEANER = "drill-cleanup"


class DrillRunning(UsageError):
    """Another drill is running; nothing was changed."""


@contextmanager
def exclusive(home: Home) -> Iterator[None]:
    """Take the lock that allows one drill at a time. Raises DrillRunning when another drill holds it."""
    with _locked(home.run / "drill.lock", wait=False):
        yield


@contextmanager
def undoing(
    clients: LabClients,
    drill_id: str,
    faults: Sequence[Fault] = (),
    expires_at: float = float("inf"),
    *,
    blind: bool = False,
) -> Iterator[None]:
    """Write the journal; when the body ends, however it ends, undo the faults and restore the control state.

    The caller holds `exclusive`. From `expires_at` (epoch seconds) on, the watchdog may undo a drill that still runs.
    `blind`: the journal does not name `drill_id`; pass the faults of every drill and an expiry that fits all of them.
    """
    context = FaultContext(clients)
    at = time.time()
    held = ToUndo(
        faults=[JournalledFault(fault=as_json(fault), found=fault.capture(context)) for fault in faults],
        state=take(clients),
    )
    journal = Journal(
        drill=RANDOM if blind else drill_id,
        blind=blind,
        pid=os.getpid(),
        at=utc_text(at),
        expires_at=utc_text(expires_at) if expires_at != float("inf") else None,
        packed=packed(held) if blind else None,
        state=None if blind else held.state,
        faults=[] if blind else held.faults,
    )
    write_json(journal_path(clients.home), as_builtins(journal))
    try:
        yield
    finally:
        undo(clients)


def undo(clients: LabClients, of_process: int | None = None) -> list[str]:
    """Undo the faults of the journal, last one first, restore the control state, and remove the journal.

    Returns one line per change. `of_process`: only a journal that this process (a pid) wrote. Raises LabError when
    something could not be restored; everything else was, and the journal stays for the next attempt. Raises
    DamagedJournal when the journal cannot be read; it was moved aside.
    """
    path = journal_path(clients.home)
    with _locked(clients.home.run / "undo.lock", wait=True):
        if (held := readable(path)) is None:
            return []
        journal, state, faults = held
        if of_process not in (None, journal.pid):
            return []
        cleaner = clients.acting_as(CLEANER)
        changed, problems = _undo_faults(FaultContext(cleaner), faults[::-1])
        try:
            changed += restore(cleaner, state, reason=f"undo drill {journal.drill}")
        except NotRunning as error:
            if not problems:
                raise
            problems.append(str(error))
        except LabError as error:
            problems.append(str(error))
        if problems:
            raise LabError(
                f"drill {journal.drill} is not fully undone ({'; '.join(problems)}); 'fleetops drill undo' tries again"
            )
        path.unlink()
    return changed


def _undo_faults(context: FaultContext, faults: Sequence[tuple[Fault, Captured]]) -> tuple[list[str], list[str]]:
    """(changes, errors), one line each. Failed faults are retried while others succeed: one may depend on another."""
    changed: list[str] = []
    while True:
        problems: list[str] = []
        failed = []
        for fault, found in faults:
            try:
                changed += fault.undo(context, found)
            except LabError as error:
                problems.append(f"{fault.kind}: {error}")
                failed.append((fault, found))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                problems.append(f"{fault.kind}: the journal's {found!r:.200} does not fit it ({error!r})")
        if not failed or len(failed) == len(faults):
            return changed, problems
        faults = failed


def set_aside_if_damaged(home: Home) -> None:
    """Raise DamagedJournal, after moving the journal aside, when it cannot be read. The lab need not run."""
    with _locked(home.run / "undo.lock", wait=True):
        readable(journal_path(home))


def undo_at_rest(clients: LabClients) -> list[str]:
    """Before a start of the lab: restore files that would keep it from starting; returns one line per change.

    The journal stays, for what needs a running lab. Raises DamagedJournal when it cannot be read; it was moved aside.
    """
    if (held := readable(journal_path(clients.home))) is None:
        return []
    _, _, faults = held
    context = FaultContext(clients.acting_as(CLEANER))
    return [line for fault, found in faults[::-1] for line in fault.undo_at_rest(context, found)]


def undo_left_over(clients: LabClients) -> list[str]:
    """Undo the journal of a killed drill; returns one line per change, none while a drill is running."""
    if not journal_path(clients.home).exists():
        return []
    try:
        with exclusive(clients.home):
            return undo(clients)
    except DrillRunning:
        return []


def running(home: Home) -> bool:
    """Whether a drill is running."""
    try:
        with exclusive(home):
            return False
    except DrillRunning:
        return True


def current(home: Home) -> Journal | None:
    """The journal, or None when there is none. Raises DamagedJournal when it cannot be read.

    The `drill` of a blind journal is RANDOM.
    """
    return read(journal_path(home))


@contextmanager
def _locked(file: Path, *, wait: bool) -> Iterator[None]:
    try:
        with held(file, wait=wait) as lock:
            lock.seek(0)
            lock.truncate()
            lock.write(f"process {os.getpid()}")
            lock.flush()
            yield
    except LockHeld as holder:
        raise DrillRunning(f"a drill is running already ({holder}); one at a time") from None


__all__ = [
    "CLEANER",
    "RANDOM",
    "DamagedJournal",
    "DrillRunning",
    "current",
    "exclusive",
    "journal_path",
    "running",
    "set_aside_if_damaged",
    "undo",
    "undo_at_rest",
    "undo_left_over",
    "undoing",
]
