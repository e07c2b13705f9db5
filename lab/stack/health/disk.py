"""Free space on the filesystem of the state directory."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.paths import Home

MIB = 1024 * 1024
# Required for a start: the first one writes some 500 MiB, and DiskSpaceLow opens a ticket below 512 MiB.
REQUIRED_BYTES = 1024 * MIB
# Below this any write may fail: PostgreSQL alone allocates its write-ahead log in segments of 16 MiB.
FULL_BYTES = 16 * MIB


@dataclass(frozen=True)
class Space:
    """Free bytes at `place`: the state directory, or the nearest parent that exists."""

    place: Path
    free_bytes: int

    def __str__(self) -> str:
        return f"{self.free_bytes // MIB} MiB free at {self.place}"


def space(home: Home) -> Space:
    """The free space on the filesystem of the state directory."""
    place = next(folder for folder in (home.path, *home.path.parents) if folder.exists())
    return Space(place, shutil.disk_usage(place).free)


def require(home: Home) -> None:
    """Raise LabError when there is too little space to start a lab."""
    free = space(home)
    if free.free_bytes < REQUIRED_BYTES:
        raise LabError(f"disk full: {free}, a start needs {REQUIRED_BYTES // MIB} MiB; free some, or set FLEETOPS_HOME")


def full(home: Home) -> str:
    """A message while the disk is full, else ""."""
    free = space(home)
    if free.free_bytes >= FULL_BYTES:
        return ""
    return f"disk full: {free}; free some, and everything recovers by itself"
