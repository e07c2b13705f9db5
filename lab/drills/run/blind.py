"""Blind drills: nothing that is visible while one runs reveals its fault.

Its journal holds the faults of the whole catalogue, its expiry fits the longest drill, and its process has no drill id
in its arguments. The responder, or a program of the same user, can read all three.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress

import psutil

from lab.drills.faults import Fault, as_json
from lab.drills.spec.drill import Drill, catalogue, find
from lab.drills.undo.journal import RANDOM

PICKED = "--picked-by"


def every_fault() -> tuple[Fault, ...]:
    """The distinct faults and loads of all drills, in the catalogue's order."""
    faults = [fault for drill in catalogue() for fault in drill.all_faults()]
    return tuple({json.dumps(as_json(fault), sort_keys=True): fault for fault in faults}.values())


def incidents() -> list[Drill]:
    """The drills that `random` picks from."""
    return [drill for drill in catalogue() if not drill.is_control]


def hide(drill_id: str, program: list[str]) -> None:
    """Restart this process with `random` instead of `drill_id` in its arguments; return if they do not contain it.

    `program` is the command that starts `fleetops`. The id is passed through a pipe, which can be read only once.
    Raises UsageError for an unknown id.
    """
    if drill_id not in sys.argv[1:]:
        return
    find(drill_id)  # refuse an unknown id before the restart
    reading, writing = os.pipe()
    os.write(writing, drill_id.encode())
    os.close(writing)
    os.set_inheritable(reading, True)
    at = sys.argv.index(drill_id, 1)
    words = [*program, *sys.argv[1:at], RANDOM, f"{PICKED}={reading}", *sys.argv[at + 1 :]]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(words[0], words)  # noqa: S606 - an argument list, no shell


def revealing(drill_id: str) -> str | None:
    """Names the process that started this one and has the drill's id in its arguments, such as `timeout`; or None."""
    with suppress(psutil.Error):  # a process of another user, or one that has just ended
        for process in psutil.Process().parents():
            if any(drill_id in argument for argument in process.cmdline()):
                return f"{process.name()} (pid {process.pid})"
    return None


def picked(descriptor: int) -> Drill:
    """The drill that `hide` passed through the pipe `descriptor`."""
    with os.fdopen(descriptor, "rb") as pipe:
        return find(pipe.read().decode())
