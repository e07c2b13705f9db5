"""The file of a drill's journal: its path, its encoding, and the handling of a damaged one."""

from __future__ import annotations

import base64
import time
import zlib
from pathlib import Path

import msgspec

from lab.clients.times import utc_text
from lab.drills.faults import Fault, of_json
from lab.drills.schema.journal import Captured, ControlState, Journal, ToUndo
from lab.errors import LabError, UsageError
from lab.paths import Home

RANDOM = "random"  # the name of a blind drill until its verdict


class DamagedJournal(LabError):
    """A journal cannot be read, so nothing can be undone from it."""


def journal_path(home: Home) -> Path:
    """The path of the journal of a running or killed drill."""
    return home.data / "drill.journal.json"


def read(path: Path) -> Journal | None:
    """The journal in file `path`, or None when there is no file. The drill of a blind one is RANDOM.

    Raises DamagedJournal, naming the invalid key, when the file does not hold a journal.
    """
    try:
        journal = msgspec.json.decode(path.read_bytes(), type=Journal)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedJournal(f"{path} cannot be read ({error.strerror})") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DamagedJournal(f"{path} is damaged ({error})") from error
    return msgspec.structs.replace(journal, drill=RANDOM) if journal.blind else journal


def packed(content: ToUndo) -> str:
    """Faults and state, compressed, for a blind journal. Not encrypted; `content` is the inverse."""
    return base64.b64encode(zlib.compress(msgspec.json.encode(content))).decode()


def content(path: Path, journal: Journal) -> ToUndo:
    """The state to restore, of a journal read from `path`. Raises DamagedJournal when it cannot be decoded."""
    if journal.packed is None:
        if journal.state is None:
            raise DamagedJournal(f"{path} is damaged (it holds no state)")
        return ToUndo(state=journal.state, faults=journal.faults)
    try:
        return msgspec.json.decode(zlib.decompress(base64.b64decode(journal.packed)), type=ToUndo)
    except (msgspec.MsgspecError, ValueError, zlib.error) as error:
        raise DamagedJournal(f"{path} is damaged (/packed: {error})") from error


def readable(path: Path) -> tuple[Journal, ControlState, list[tuple[Fault, Captured]]] | None:
    """The journal, the control state, and each fault with the state it captured; None when there is no journal.

    A damaged journal is moved aside; DamagedJournal says where to.
    """
    try:
        if (journal := read(path)) is None:
            return None
        held = content(path, journal)
        return journal, held.state, [(of_json(row.fault, str(path)), row.found) for row in held.faults]
    except (DamagedJournal, UsageError) as error:
        aside = path.with_name(f"drill.journal.damaged-{utc_text(time.time()).replace(':', '')}.json")
        try:
            path.rename(aside)
        except OSError as problem:
            raise DamagedJournal(f"{error}, and cannot be moved aside: {problem.strerror}") from error
        raise DamagedJournal(
            f"{error}: nothing was undone from it, and it was moved to {aside}; "
            "'fleetops triage feed' and 'fleetops flag list' show what is not as usual"
        ) from error
