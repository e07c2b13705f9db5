"""The store of kept traces: one SQLite file in WAL mode, limited by size and age. One process writes, others read."""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from lab.errors import LabError, UsageError
from lab.paths import Home
from lab.tracing.documents import Summary, Trace, summary

MAX_BYTES = 40_000_000
MAX_AGE_SECONDS = 24 * 3600.0
BUSY_SECONDS = 2.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS traces (
  trace_id TEXT PRIMARY KEY, started REAL NOT NULL, seconds REAL NOT NULL, name TEXT NOT NULL, status INTEGER NOT NULL,
  reason TEXT NOT NULL, spans INTEGER NOT NULL, data BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS traces_started ON traces (started);
"""
_COLUMNS = "trace_id, started, seconds, name, status, reason, spans"


def path(home: Home) -> Path:
    """The store of a lab."""
    return home.data / "traces" / "traces.db"


class Writer:
    """Adds traces. Raises sqlite3.Error, for example on a full disk; what was stored before stays."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, traces: Iterable[Trace]) -> None:
        """Store traces in one transaction. A trace that is stored already is replaced if it has no fewer spans now."""
        rows = [
            (*msgspec.structs.astuple(line), zlib.compress(msgspec.json.encode(trace), 1))
            for trace in traces
            if (line := summary(trace))
        ]
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(
                f"INSERT INTO traces ({_COLUMNS}, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
                " ON CONFLICT (trace_id) DO UPDATE SET seconds = excluded.seconds, name = excluded.name,"
                " status = excluded.status, spans = excluded.spans, data = excluded.data"
                " WHERE excluded.spans >= traces.spans",
                rows,
            )
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def prune(self) -> int:
        """Delete the oldest traces beyond MAX_BYTES and MAX_AGE_SECONDS; returns the bytes that are stored."""
        self._db.execute("DELETE FROM traces WHERE started < ?", [time.time() - MAX_AGE_SECONDS])
        total = 0
        for started, size in self._db.execute("SELECT started, length(data) FROM traces ORDER BY started DESC"):
            if total + size > MAX_BYTES:
                self._db.execute("DELETE FROM traces WHERE started <= ?", [started])
                break
            total += size
        return total


@contextmanager
def _reading(home: Home) -> Iterator[sqlite3.Connection]:
    file = path(home)
    if not file.exists():
        raise UsageError("this lab keeps no traces; started with FLEETOPS_TRACE_SLOW_SECONDS=0.2 it does")
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as db:
            yield db
    except sqlite3.Error as problem:
        raise LabError(f"the traces in {file} cannot be read: {problem}") from problem


def summaries(
    home: Home, *, since: float = 0.0, min_seconds: float = 0.0, reasons: Sequence[str] = (), name: str = "",
    limit: int = 20, slowest: bool = False,
) -> list[Summary]:  # fmt: skip
    """The newest traces, or the slowest, that began at or after `since` (epoch seconds). `name`: a part of the name.

    Raises UsageError when this lab keeps no traces, LabError when the store cannot be read.
    """
    marks = ", ".join("?" * len(reasons))
    query = (
        f"SELECT {_COLUMNS} FROM traces WHERE started >= ? AND seconds >= ? AND instr(name, ?) > 0"  # noqa: S608
        f"{f' AND reason IN ({marks})' if reasons else ''}"
        f" ORDER BY {'seconds' if slowest else 'started'} DESC LIMIT ?"
    )
    with _reading(home) as db:
        return [Summary(*row) for row in db.execute(query, [since, min_seconds, name, *reasons, limit])]


def find(home: Home, ident: str) -> Trace:
    """The trace whose id begins with `ident`. Raises UsageError for none or several, LabError like `summaries`."""
    with _reading(home) as db:
        found = db.execute(
            "SELECT trace_id, data FROM traces WHERE substr(trace_id, 1, ?) = ? LIMIT 2", [len(ident), ident]
        ).fetchall()
    if len(found) > 1:
        raise UsageError(f"several traces begin with {ident}: {found[0][0]}, {found[1][0]}, …")
    if not found:
        raise UsageError(f"no trace {ident!r:.50} is stored; `fleetops trace list` shows those that are")
    return _decoded(found[0][1])


def _decoded(data: bytes) -> Trace:
    try:
        return msgspec.json.decode(zlib.decompress(data), type=Trace)
    except (zlib.error, msgspec.MsgspecError) as problem:
        raise LabError(f"a stored trace is damaged: {problem}") from problem
