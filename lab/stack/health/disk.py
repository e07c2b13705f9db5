"""Free space on the filesystem of the state directory."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.paths import Home

MIB = 1024 * 1024
# A start needs this much: a first one writes some 500 MiB, and DiskSpaceLow opens a ticket below 512 MiB.
ENOUGH_BYTES = 1024 * MIB
# Below this a write may fail at any moment: PostgreSQL alone reserves 16 MiB at a time for its log.
FULL_BYTES = 16 * MIB


@dataclass(frozen=True)
class Space:
    """Free bytes at `place`: the state directory, or the nearest parent that exists."""

    place: Path
    free_bytes: int

    def __str__(self) -> str:
        return f"{self.free_bytes // MIB} MiB free at {self.place}"


def look(home: Home) -> Space:
    """What the filesystem of the state directory still takes."""
    place = next(folder for folder in (home.path, *home.path.parents) if folder.exists())
    return Space(place, shutil.disk_usage(place).free)


def require(home: Home) -> None:
    """See that a lab can be started. Raises LabError when there is too little space."""
    space = look(home)
    if space.free_bytes < ENOUGH_BYTES:
        raise LabError(f"disk full: {space}, a start needs {ENOUGH_BYTES // MIB} MiB; free some, or set FLEETOPS_HOME")


def full(home: Home) -> str:
    """Empty while there is room to write, else what is wrong and what to do, in a few words."""
    space = look(home)
    if space.free_bytes >= FULL_BYTES:
        return ""
    return f"disk full: {space}; free some, and everything recovers by itself"
