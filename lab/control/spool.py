"""Audit rows on their way to the pager: one JSONL file of those that wait, one of those that it refused.

Rows are delivered in order. A row that the pager refuses for good is set aside, so that it never holds up the rows
behind it; one that gets no answer waits, and so do all behind it. Rows carry ids: sending one twice is harmless.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from lab.clients.times import utc_text
from lab.errors import LabError, NotRunning, UsageError
from lab.paths import Home

Row = dict[str, Any]
Send = Callable[
    [Row], object
]  # raises NotRunning: no answer; UsageError: refused for good; LabError: answered, not taken
Say = Callable[[str], None]


@dataclass(frozen=True)
class Backlog:
    """What has not reached the pager. `since` is the instant of the oldest row that waits; None when none does."""

    waiting: int
    since: str | None
    refused: int
    refused_file: str

    @property
    def clear(self) -> bool:
        """Whether every row has been delivered."""
        return not (self.waiting or self.refused)

    def as_json(self) -> dict[str, Any]:
        """As `fleetops status --json` gives it."""
        return asdict(self)

    def __str__(self) -> str:
        waits = f"{_rows(self.waiting)} waiting for the pager since {self.since}" if self.waiting else ""
        refused = f"{_rows(self.refused)} refused by the pager, kept in {self.refused_file}" if self.refused else ""
        return "; ".join(filter(None, (waits, refused))) or "delivered"


def warn(line: str) -> None:
    """Tell the person at the terminal."""
    sys.stderr.write(f"fleetops: {line}\n")


@dataclass(frozen=True)
class Spool:
    """The two files: `file` of the rows that wait, and `refused` beside it."""

    file: Path
    say: Say = warn

    @classmethod
    def of(cls, home: Home) -> Spool:
        """The spool of the lab in `home`."""
        return cls(home.data / "audit-spool.jsonl")

    @property
    def refused(self) -> Path:
        """The rows the pager refused, each with the reason and the time."""
        return self.file.with_name("audit-refused.jsonl")

    def backlog(self) -> Backlog:
        """What waits and what was refused; LabError when a file cannot be read."""
        waiting, refused = (_lines(path) for path in (self.file, self.refused))
        rows = [row for line in waiting if (row := _decoded(line)) is not None]
        since = min((str(row.get("at")) for row in rows), default=None)
        return Backlog(len(waiting), since, len(refused), str(self.refused))

    def deliver(self, send: Send, row: Row | None = None) -> None:
        """Send what waits, then `row`; what gets no answer stays. LabError when `row` can be neither sent nor kept."""
        if row is None and not self.file.exists():
            return
        try:
            with self._locked() as file:
                lines = [line for line in file if line.strip()]
                if self._sent(send, lines, [row] if row is not None else []):
                    if lines:
                        file.truncate(0)
                elif row is not None:
                    _append(file, row)
        except OSError as error:
            raise LabError(f"cannot write the audit log's queue {self.file}: {error.strerror}") from error

    def _sent(self, send: Send, lines: Iterable[bytes], last: list[Row]) -> bool:
        """Whether everything was delivered or set aside. All or nothing: what was delivered is delivered again."""
        rows = []
        for line in lines:
            if (row := _decoded(line)) is None:  # its writer was killed while it wrote
                self._set_aside({"line": line.decode("utf-8", "replace").strip()}, "is no audit row")
            else:
                rows.append(row)
        doubtful: list[Row] = []
        for row in (*rows, *last):
            try:
                self._send_or_set_aside(send, row)
            except NotRunning:
                return False
            except LabError:
                doubtful.append(row)
                continue
            # The pager works, so what it did not take just now is asked once more, and then to blame for it.
            for one in doubtful:
                try:
                    self._send_or_set_aside(send, one)
                except NotRunning:
                    return False
                except LabError as error:
                    self._set_aside(one, str(error))
            doubtful.clear()
        return not doubtful

    def _send_or_set_aside(self, send: Send, row: Row) -> None:
        try:
            send(row)
        except UsageError as error:
            self._set_aside(row, str(error))

    def _set_aside(self, row: Row, why: str) -> None:
        if any(kept.get("row") == row for line in _lines(self.refused) if (kept := _decoded(line))):
            return
        self.refused.parent.mkdir(parents=True, exist_ok=True)
        with self.refused.open("a+b") as file:
            _append(file, {"refused_at": utc_text(time.time()), "why": why, "row": row})
        what = f"{row.get('action', '')} {row.get('target', '')}".strip() or "unreadable"
        self.say(f"the audit log refused a row ({what}): {why}; it is kept in {self.refused}")

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            yield file


def _append(file: IO[bytes], row: Row) -> None:
    file.seek(0, os.SEEK_END)
    file.write(b"\n" + json.dumps(row).encode() + b"\n")  # after a torn line, if a writer was killed in one
    file.flush()
    os.fsync(file.fileno())


def _lines(path: Path) -> list[bytes]:
    try:
        return [line for line in path.read_bytes().split(b"\n") if line.strip()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LabError(f"cannot read {path}: {error.strerror}") from error


def _decoded(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
