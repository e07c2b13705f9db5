"""Read the logs of one service: its replicas merged in the order of time, followed while they grow."""

from __future__ import annotations

import heapq
import json
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lab.errors import UsageError
from lab.paths import Home
from lab.stack.programs import service_of

POLL_SECONDS = 0.2
# Keys under which the lab's processes, Prometheus 2 and Prometheus 3 write the time of a line.
TIME_KEYS = ("ts", "time", "timestamp")
PLAIN_TIME = re.compile(r"^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d[.,]\d{3})")


@dataclass(frozen=True, order=True)
class Line:
    """One line: when (epoch seconds; that of the line before when it tells none), whose, and its text."""

    at: float
    instance: str
    text: str


def log_names(home: Home) -> list[str]:
    """Every program that has written a log."""
    return sorted(path.stem for path in home.logs.glob("*.log"))


def files(home: Home, service: str) -> list[Path]:
    """The log files that `service` (a service or one instance) means. Raises UsageError listing the known ones."""
    known = log_names(home)
    found = [name for name in known if service in (name, service_of(name))]
    if not found:
        everything = ", ".join(sorted({*known, *(service_of(name) for name in known)}))
        raise UsageError(
            f"no logs of {service!r}; "
            + (f"known: {everything}" if everything else "the lab has not run yet; `fleetops up`")
        )
    return [home.logs / f"{name}.log" for name in found]


def time_of(text: str, before: float) -> float:
    """When a line was written, by its own account; `before` when it does not say."""
    stamp = ""
    if text.startswith("{"):
        try:
            fields = json.loads(text)
            stamp = next((str(fields[key]) for key in TIME_KEYS if key in fields), "")
        except ValueError:
            return before
    elif match := PLAIN_TIME.match(text):
        stamp = f"{match[1]}T{match[2].replace(',', '.')}+00:00"
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return before


def _read(path: Path) -> Iterator[Line]:
    """Every line of a log, the rotated part first."""
    at = 0.0
    for part in (*sorted(path.parent.glob(f"{path.name}.[0-9]"), reverse=True), path):
        try:
            with part.open(encoding="utf-8", errors="replace") as file:
                for text in file:
                    at = max(at, time_of(text, at))  # in a merge, a line may not go back behind its file's own order
                    yield Line(at, path.stem, text.rstrip("\n"))
        except FileNotFoundError:
            continue  # rotated away just now


def wanted(lines: Iterable[Line], trace: str | None) -> Iterator[Line]:
    """The lines that belong to `trace`, or all."""
    return (line for line in lines if trace is None or trace in line.text)


def last(paths: Iterable[Path], count: int | None, trace: str | None = None) -> list[Line]:
    """The last `count` matching lines of several logs, merged in the order of time; all when None."""
    return list(deque(wanted(heapq.merge(*(_read(path) for path in paths)), trace), maxlen=count))


def follow(paths: Iterable[Path], trace: str | None = None) -> Iterator[Line]:
    """Lines as they are written from now on, without end; survives rotation."""
    tails = [_Tail(path) for path in paths]
    while True:
        yield from wanted(sorted(line for tail in tails for line in tail.new()), trace)
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
