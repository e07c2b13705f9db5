"""Log files on disk: their rotated parts, the quota of each process, and rotation into compressed archives."""

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
    """Bytes of a process's log with its rotated parts, and their quota."""

    process: str
    used_bytes: int
    quota_bytes: int


def rotated(path: Path) -> list[Path]:
    """The paths of a log's rotated parts, newest first; they may not exist."""
    return [path.with_name(f"{path.name}.{number}") for number in range(1, LOG_BACKUPS + 1)]


def present(path: Path) -> list[os.stat_result]:
    """The stat results of a log and its rotated parts, newest first, as far as they exist (they rotate at any time)."""
    parts = []
    for part in (path, *rotated(path)):
        with contextlib.suppress(FileNotFoundError):
            parts.append(part.stat())
    return parts


def usage(home: Home) -> list[Usage]:
    """The usage of every log, fullest first."""
    rows = [Usage(path.stem, _used(path), QUOTA_BYTES) for path in home.logs.glob("*.log")]
    return sorted(rows, key=lambda row: (-row.used_bytes, row.process))


def _used(path: Path) -> int:
    return sum(stat.st_size for stat in present(path))


def rotate(home: Home, processes: list[str]) -> dict[str, tuple[int, int]]:
    """Archive each process's log in logs/archive and start a new one; (bytes used before, after) by process.

    Keeps the last ARCHIVES_KEPT archives of a process. Raises NotRunning, and LabError when supervisord does not reopen
    a log.
    """
    supervisor = Supervisor(home)
    pid = supervisor.pid()
    if pid is None:
        supervisor.names()  # raises NotRunning
        raise LabError("supervisord does not answer; see `fleetops status`")
    paths = [home.logs / f"{name}.log" for name in processes]
    before = {path: _used(path) for path in paths}
    for path in paths:
        if path.exists():
            path.rename(path.with_name(f"{path.name}.rotating"))
    os.kill(pid, signal.SIGUSR2)  # supervisord reopens every log by its name
    end = time.monotonic() + REOPEN_SECONDS
    while missing := [path.name for path in paths if not path.exists()]:
        if time.monotonic() > end:
            raise LabError(f"supervisord has not reopened {', '.join(missing)}; run `fleetops log rotate` again")
        time.sleep(0.05)
    for path in paths:
        _archive(path, [*reversed(rotated(path)), path.with_name(f"{path.name}.rotating")])
    return {path.stem: (before[path], _used(path)) for path in paths}


def _archive(path: Path, parts: list[Path]) -> None:
    """Compress `parts`, oldest first, into one archive and delete them."""
    directory = path.parent / "archive"
    directory.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    archive = directory / f"{path.stem}-{stamp}.log.gz"
    with gzip.open(archive, "wb", compresslevel=1) as compressed:
        for part in parts:
            if part.exists():
                with part.open("rb") as file:
                    shutil.copyfileobj(file, compressed)
    for part in parts:
        part.unlink(missing_ok=True)
    archives = sorted(directory.glob(f"{path.stem}-[0-9]*T*.log.gz"))
    for old in archives[:-ARCHIVES_KEPT]:
        old.unlink()
