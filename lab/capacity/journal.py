"""The journal of a sweep: one JSON line per step, written at once, so that a sweep that stopped is resumed."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from lab.capacity.documents import Burst, Header, Row, Step, Sweep
from lab.errors import LabError, UsageError
from lab.paths import Home


def path(home: Home) -> Path:
    """The journal of the unfinished sweep."""
    return home.data / "capacity" / "sweep.jsonl"


def start(home: Home, header: Header) -> Sweep:
    """Begin a new journal; an earlier one is replaced."""
    file = path(home)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.encode(header) + b"\n")
    return Sweep(header=header)


def append(home: Home, row: Step | Burst) -> None:
    """Add a row, safe on disk when this returns."""
    line = Row(step=row) if isinstance(row, Step) else Row(burst=row)
    with path(home).open("ab") as file:
        file.write(msgspec.json.encode(line) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read(home: Home) -> Sweep | None:
    """The unfinished sweep, or None. A last line that was cut off by a crash is left out.

    Raises LabError, with the line, when the journal is damaged.
    """
    file = path(home)
    if not file.exists():
        return None
    lines = file.read_bytes().split(b"\n")
    whole, rest = lines[:-1], lines[-1]
    if rest:
        file.write_bytes(b"".join(line + b"\n" for line in whole))
    steps, bursts = [], []
    number = 1
    try:
        header = msgspec.json.decode(whole[0] if whole else b"", type=Header)
        for line in whole[1:]:
            number += 1
            row = msgspec.json.decode(line, type=Row)
            if row.step is not None:
                steps.append(row.step)
            if row.burst is not None:
                bursts.append(row.burst)
    except msgspec.MsgspecError as error:
        raise LabError(f"{file}:{number} is damaged ({error}); --fresh starts again without it") from error
    return Sweep(header=header, steps=steps, bursts=bursts)


def resume(home: Home, header: Header) -> Sweep:
    """The unfinished sweep of the same configurations, or a new one. Raises UsageError when those differ."""
    unfinished = read(home)
    if unfinished is None:
        return start(home, header)
    if unfinished.header.configurations != header.configurations:
        raise UsageError(
            f"an unfinished sweep measured {', '.join(unfinished.header.configurations)};"
            " --fresh discards it, or name the same configurations to resume it"
        )
    return unfinished


def finish(home: Home) -> None:
    """Forget the journal of a complete sweep."""
    path(home).unlink(missing_ok=True)
