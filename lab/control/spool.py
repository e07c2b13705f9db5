"""The spool of audit rows for the pager: a JSONL file of waiting rows, and one of refused rows.

Rows are delivered in order. A row that the pager rejects for good is set aside, so that it does not block the rows
behind it. When the pager does not answer, all rows wait. Rows have ids, so a repeated delivery is harmless.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lab.clients.times import utc_text
from lab.errors import LabError, NotRunning, UsageError
from lab.paths import Home
from lab.telemetry import json_text

Row = dict[str, Any]
# Raises NotRunning (no answer), UsageError (rejected for good) or LabError (answered with an error, not stored).
Send = Callable[[Row], object]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Backlog:
    """Undelivered rows. `since` is the UTC time of the oldest waiting row, or None."""

    waiting: int
    since: str | None
    refused: int
    refused_file: str

    @property
    def clear(self) -> bool:
        """Whether every row has been delivered."""
        return not (self.waiting or self.refused)

    def __str__(self) -> str:
        waiting = f"{_rows(self.waiting)} waiting for the pager since {self.since}" if self.waiting else ""
        refused = f"{_rows(self.refused)} refused by the pager, kept in {self.refused_file}" if self.refused else ""
        return "; ".join(filter(None, (waiting, refused))) or "delivered"


def warn(line: str) -> None:
    """Write a warning to standard error."""
    sys.stderr.write(f"fleetops: {line}\n")


@dataclass(frozen=True)
class Spool:
    """The spool files: `file` of the waiting rows, and `refused` beside it. `say` receives warnings, one line each."""

    file: Path
    say: Say = warn

    @classmethod
    def of(cls, home: Home) -> Spool:
        """The spool of the lab in `home`."""
        return cls(home.data / "audit-spool.jsonl")

    @property
    def refused(self) -> Path:
        """The file of refused rows, each with the reason and the time."""
        return self.file.with_name("audit-refused.jsonl")

    def backlog(self) -> Backlog:
        """The waiting and refused rows. LabError when a file cannot be read."""
        waiting, refused = (_lines(path) for path in (self.file, self.refused))
        rows = [row for line in waiting if (row := _decoded(line)) is not None]
        since = min((str(row.get("at")) for row in rows), default=None)
        return Backlog(len(waiting), since, len(refused), str(self.refused))

    def deliver(self, send: Send, row: Row | None = None) -> None:
        """Send the waiting rows, then `row`; keep them if there is no answer. LabError when `row` cannot be kept."""
        if row is None and not self.file.exists():
            return
        try:
            with self._locked() as file:
                lines = [line for line in file if line.strip()]
                if self._all_delivered(send, lines, [row] if row is not None else []):
                    if lines:
                        file.truncate(0)
                elif row is not None:
                    _append(file, row)
        except OSError as error:
            raise LabError(f"cannot write the audit log's queue {self.file}: {error.strerror}") from error

    def _all_delivered(self, send: Send, lines: Iterable[bytes], last: list[Row]) -> bool:
        """Whether every row was delivered or set aside. If not, all of them stay in the spool and are sent again."""
        rows = []
        for line in lines:
            if (row := _decoded(line)) is None:  # the writer was killed in the middle of the line
                self._set_aside({"line": line.decode("utf-8", "replace").strip()}, "is not an audit row")
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
            # This row was stored, so the pager works: a row that failed before is retried once, then set aside.
            for failed in doubtful:
                try:
                    self._send_or_set_aside(send, failed)
                except NotRunning:
                    return False
                except LabError as error:
                    self._set_aside(failed, str(error))
            doubtful.clear()
        return not doubtful

    def _send_or_set_aside(self, send: Send, row: Row) -> None:
        try:
            send(row)
        except UsageError as error:
            self._set_aside(row, str(error))

    def _set_aside(self, row: Row, reason: str) -> None:
        if any(kept.get("row") == row for line in _lines(self.refused) if (kept := _decoded(line))):
            return
        self.refused.parent.mkdir(parents=True, exist_ok=True)
        with self.refused.open("a+b") as file:
            _append(file, {"refused_at": utc_text(time.time()), "why": reason, "row": row})
        action = f"{row.get('action', '')} {row.get('target', '')}".strip() or "unreadable"
        self.say(f"the audit log refused a row ({action}): {reason}; the row is in {self.refused}")

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            yield file


def _append(file: IO[bytes], row: Row) -> None:
    file.seek(0, os.SEEK_END)
    file.write(b"\n" + json.dumps(row).encode() + b"\n")  # the newline separates it from a torn line of a killed writer
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
        row = json_text.parse(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
