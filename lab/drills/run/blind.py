"""What a blind drill shows of itself while it runs: the same as every other drill.

Its journal holds the faults of the whole catalogue, its expiry fits any of them, and its own process names no drill in
its arguments. Who is on call, or a program of the same user, can look at all three and learns nothing.
"""

from __future__ import annotations

import json
import os
import sys

from lab.drills.faults import Fault, as_json
from lab.drills.spec.drill import Drill, catalogue, find
from lab.drills.undo.journal import RANDOM

PICKED = "--picked-by"


def every_fault() -> tuple[Fault, ...]:
    """The faults and loads of all drills, each once, in the catalogue's order."""
    faults = [fault for drill in catalogue() for fault in drill.all_faults()]
    return tuple({json.dumps(as_json(fault), sort_keys=True): fault for fault in faults}.values())


def incidents() -> list[Drill]:
    """The drills that `random` picks from."""
    return [drill for drill in catalogue() if not drill.is_control]


def hide(drill_id: str, program: list[str]) -> None:
    """When this process names `drill_id` in its arguments, start it over without; does not return then.

    `program` starts `fleetops`. The id goes through a pipe, which is empty once it is read.
    """
    if drill_id not in sys.argv[1:]:
        return
    find(drill_id)  # refused here, where the person can see what was typed
    reading, writing = os.pipe()
    os.write(writing, drill_id.encode())
    os.close(writing)
    os.set_inheritable(reading, True)
    at = sys.argv.index(drill_id, 1)
    words = [*program, *sys.argv[1:at], RANDOM, f"{PICKED}={reading}", *sys.argv[at + 1 :]]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(words[0], words)  # noqa: S606 - an argument list, no shell


def picked(descriptor: int) -> Drill:
    """The drill that `hide` handed over."""
    with os.fdopen(descriptor, "rb") as pipe:
        return find(pipe.read().decode())
