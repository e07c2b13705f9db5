"""Read the logs of a service: replicas merged by time, rotated parts included, followed as they grow."""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

from lab.errors import UsageError
from lab.paths import Home
from lab.stack.logfiles import rotated
from lab.stack.programs import service_of

POLL_SECONDS = 0.2
# The keys of a line's time: of the lab's processes, Prometheus 3 and Prometheus 2.
TIME_KEYS = ("ts", "time", "timestamp")
PLAIN_TIME = re.compile(r"^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d[.,]\d{3})")


@dataclass(frozen=True, order=True)
class Line:
    """One line: its time (epoch seconds; that of the line before if it has none), its process and its text."""

    at: float
    instance: str
    text: str


def log_names(home: Home) -> list[str]:
    """The names of the programs that have a log."""
    return sorted(path.stem for path in home.logs.glob("*.log"))


def files(home: Home, service: str) -> list[Path]:
    """The log files of `service`, a service or one instance. UsageError for an unknown name lists the known ones."""
    known = log_names(home)
    matching = [name for name in known if service in (name, service_of(name))]
    if not matching:
        names = ", ".join(sorted({*known, *(service_of(name) for name in known)}))
        raise UsageError(
            f"no logs of {service!r}; " + (f"known: {names}" if names else "the lab has not run yet; run `fleetops up`")
        )
    return [home.logs / f"{name}.log" for name in matching]


def time_of(text: str, before: float) -> float:
    """The time of a line in epoch seconds; `before` when it has none."""
    stamp = ""
    if text.startswith("{"):
        try:
            fields = json.loads(text)
            stamp = next((str(fields[key]) for key in TIME_KEYS if key in fields), "")
        except (ValueError, RecursionError):
            return before
    elif match := PLAIN_TIME.match(text):
        stamp = f"{match[1]}T{match[2].replace(',', '.')}+00:00"
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return before


def read(path: Path) -> Iterator[str]:
    """Every line of a log without its newline, oldest first, all rotated parts included (archives are not).

    All parts are opened before any is read, the newest first: a log that rotates meanwhile is opened twice under two
    names, and read once.
    """
    with contextlib.ExitStack() as opened:
        parts: dict[int, TextIO] = {}
        for part in (path, *rotated(path)):
            with contextlib.suppress(FileNotFoundError):
                file = opened.enter_context(part.open(encoding="utf-8", errors="replace"))
                parts.setdefault(os.fstat(file.fileno()).st_ino, file)
        for lines in reversed(parts.values()):
            for text in lines:
                yield text.rstrip("\n")


def _timed(path: Path) -> Iterator[Line]:
    """Every line of a log, never earlier than the line before, so that a merge keeps the order of the file."""
    at = 0.0
    for text in read(path):
        at = max(at, time_of(text, at))
        yield Line(at, path.stem, text)


def _of_trace(lines: Iterable[Line], trace: str | None) -> Iterator[Line]:
    """The lines that contain the trace id, or all of them."""
    return (line for line in lines if trace is None or trace in line.text)


def last(paths: Iterable[Path], count: int | None, trace: str | None = None) -> list[Line]:
    """The last `count` lines (None: all) of several logs, merged by time; with `trace`, only lines of that trace."""
    return list(deque(_of_trace(heapq.merge(*(_timed(path) for path in paths)), trace), maxlen=count))


def follow(paths: Iterable[Path], trace: str | None = None) -> Iterator[Line]:
    """Lines as they are written from now on, without end. Continues after a rotation."""
    tails = [_Tail(path) for path in paths]
    while True:
        yield from _of_trace(sorted(line for tail in tails for line in tail.new()), trace)
        time.sleep(POLL_SECONDS)


class _Tail:
    """The growing end of one log."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = ""
        stat = path.stat()
        self._inode, self._offset, self._at = stat.st_ino, stat.st_size, time.time()

    def new(self) -> list[Line]:
        try:
            stat = self._path.stat()
            if stat.st_ino != self._inode or stat.st_size < self._offset:
                self._inode, self._offset, self._partial = stat.st_ino, 0, ""
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        self._offset += len(data)
        *complete, self._partial = (self._partial + data.decode("utf-8", "replace")).split("\n")
        lines = []
        for text in complete:
            self._at = max(self._at, time_of(text, self._at))
            lines.append(Line(self._at, self._path.stem, text))
        return lines
