"""The log files as files: how full each process's quota is, and rotation into compressed archives."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import signal
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab.errors import LabError
from lab.paths import Home
from lab.stack.processes.supervision import LOG_BACKUPS, LOG_BYTES, Supervisor

QUOTA_BYTES = LOG_BYTES * (1 + LOG_BACKUPS)
ARCHIVES_KEPT = 3
REOPEN_SECONDS = 10.0


@dataclass(frozen=True)
class Usage:
    """How full the quota of one process is, its rotated parts included."""

    process: str
    used_bytes: int
    quota_bytes: int


def rotated(path: Path) -> list[Path]:
    """The rotated parts of a log, the newest first, whether they are there or not."""
    return [path.with_name(f"{path.name}.{number}") for number in range(1, LOG_BACKUPS + 1)]


def present(path: Path) -> list[os.stat_result]:
    """A log and its rotated parts, the newest first, as far as they are there: supervision may rotate at any time."""
    found = []
    for part in (path, *rotated(path)):
        with contextlib.suppress(FileNotFoundError):
            found.append(part.stat())
    return found


def usage(home: Home) -> list[Usage]:
    """Every log, the fullest first."""
    found = [Usage(path.stem, _used(path), QUOTA_BYTES) for path in home.logs.glob("*.log")]
    return sorted(found, key=lambda one: (-one.used_bytes, one.process))


def _used(path: Path) -> int:
    return sum(stat.st_size for stat in present(path))


def rotate(home: Home, processes: list[str]) -> dict[str, tuple[int, int]]:
    """Pack each process's log away into logs/archive and begin a new one; (bytes used before, after) by process.

    The last few archives of a process are kept. Raises NotRunning, and LabError when supervision does not reopen.
    """
    supervisor = Supervisor(home)
    pid = supervisor.pid()
    if pid is None:
        supervisor.names()  # NotRunning, with what to do
        raise LabError("supervision does not answer")
    paths = [home.logs / f"{name}.log" for name in processes]
    before = {path: _used(path) for path in paths}
    for path in paths:
        if path.exists():
            path.rename(path.with_name(f"{path.name}.rotating"))
    os.kill(pid, signal.SIGUSR2)  # supervisord opens every log again by its name
    end = time.monotonic() + REOPEN_SECONDS
    while missing := [path.name for path in paths if not path.exists()]:
        if time.monotonic() > end:
            raise LabError(f"supervision has not opened {', '.join(missing)} again; try `fleetops log rotate` again")
        time.sleep(0.05)
    for path in paths:
        _pack(path, [*reversed(rotated(path)), path.with_name(f"{path.name}.rotating")])
    return {path.stem: (before[path], _used(path)) for path in paths}


def _pack(path: Path, parts: list[Path]) -> None:
    """Compress `parts`, the oldest first, into one archive, and remove them."""
    folder = path.parent / "archive"
    folder.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    archive = folder / f"{path.stem}-{stamp}.log.gz"
    with gzip.open(archive, "wb", compresslevel=1) as packed:
        for part in parts:
            if part.exists():
                with part.open("rb") as file:
                    shutil.copyfileobj(file, packed)
    for part in parts:
        part.unlink(missing_ok=True)
    kept = sorted(folder.glob(f"{path.stem}-[0-9]*T*.log.gz"))
    for old in kept[:-ARCHIVES_KEPT]:
        old.unlink()
