"""The file of a drill's journal: where it lies, what it holds, and what is done with one that cannot be read."""

from __future__ import annotations

import base64
import json
import time
import zlib
from pathlib import Path
from typing import Any

from lab.clients.times import utc_text
from lab.drills.faults import Fault, of_json
from lab.drills.schema import JOURNAL_SCHEMA
from lab.errors import LabError, UsageError
from lab.paths import Home

RANDOM = "random"  # what a drill is called that nobody is told before its verdict
SHOWN = {"drill": str, "pid": int}  # what others than who undoes it look at


class DamagedJournal(LabError):
    """A journal cannot be read, so nothing can be undone from it."""


def journal_path(home: Home) -> Path:
    """Where the journal of a running (or killed) drill lies."""
    return home.data / "drill.journal.json"


def read(path: Path) -> dict[str, Any] | None:
    """The journal as it is written, with RANDOM for a blind drill; None when there is none. Raises DamagedJournal."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedJournal(f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DamagedJournal(f"{path} is damaged ({error})") from error
    if isinstance(value, dict) and value.get("blind"):
        value["drill"] = RANDOM
    if not isinstance(value, dict) or not all(isinstance(value.get(key), kind) for key, kind in SHOWN.items()):
        raise DamagedJournal(f"{path} is damaged (it names no drill and no process)")
    return {"at": "", **value}


def packed(found: dict[str, Any]) -> str:
    """Faults and state as a blind journal holds them; `unpacked` is the reverse, and no secret."""
    return base64.b64encode(zlib.compress(json.dumps(found).encode())).decode()


def unpacked(path: Path, entry: dict[str, Any]) -> dict[str, Any]:
    """The journal `entry` of the file `path` with what is packed in it; DamagedJournal when that cannot be read."""
    if "packed" not in entry:
        return entry
    try:
        return {**entry, **json.loads(zlib.decompress(base64.b64decode(entry["packed"])))}
    except (ValueError, TypeError, zlib.error) as error:
        raise DamagedJournal(f"{path} is damaged (/packed: {error})") from error


def _check(path: Path, entry: dict[str, Any]) -> None:
    """DamagedJournal names the first place where the journal is not as its schema says."""
    import jsonschema

    wrong = jsonschema.Draft202012Validator(json.loads(JOURNAL_SCHEMA.read_text())).iter_errors(entry)
    if first := next(wrong, None):
        place = "/".join(map(str, first.absolute_path))
        raise DamagedJournal(f"{path} is damaged (/{place}: {first.message:.200})")


def readable(path: Path) -> tuple[dict[str, Any] | None, list[tuple[Fault, dict[str, Any]]]]:
    """The journal and its faults. One that is damaged is moved aside, kept, and said."""
    try:
        if (entry := read(path)) is None:
            return None, []
        entry = unpacked(path, entry)
        _check(path, entry)
        return entry, [(of_json(row["fault"], str(path)), row["found"]) for row in entry.get("faults", [])]
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
