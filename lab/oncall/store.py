"""Pages and the audit log, durable before a request is answered.

SQLite in WAL mode with synchronous=FULL: a row is on disk when its transaction returns, so `kill -9` between a page and
its acknowledgement, or during either, loses neither.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from lab.clients.documents import AuditRow, Page, as_builtins
from lab.clients.times import utc_text
from lab.errors import UsageError
from lab.oncall.webhook import PLACEHOLDER, PLACEHOLDER_SEVERITY, Notice
from lab.plaintext import plain, plain_json

SCHEMA = Path(__file__).with_name("schema.sql")
ACKED_BY_LIMIT = 200
RESOLVED_SHOWN = 500
LARGEST_ID = 2**63 - 1
AUDIT_TEXTS = ("id", "at", "actor", "action", "target", "outcome", "reason")
# Columns of `pages` that a store of an older version may lack.
ADDED_COLUMNS = ("escalated_at", "escalated_to")
_SEVERITY = "CASE WHEN json_valid(labels) THEN json_extract(labels, '$.severity') END"
_WAITING = "status = 'firing' AND acked_at IS NULL AND escalated_at IS NULL"


class Store:
    """One SQLite file. Every call opens its own connection, so any thread may call. Raises sqlite3.Error.

    One more connection stays open: closing the last one removes SQLite's shared-memory index, which on a full disk the
    next one could not create, not even to read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connection() as db:
            db.executescript(SCHEMA.read_text())
            _add_columns(db)
            self._held = sqlite3.connect(path, check_same_thread=False)
            self._held.execute("SELECT count(*) FROM pages").fetchall()

    def close(self) -> None:
        """Close the connection that stays open."""
        self._held.close()

    def receive(self, notices: Sequence[Notice]) -> int:
        """Store a whole notification in one transaction; returns the number of new pages.

        A notice belongs to the open page of its fingerprint whatever its start, because two replicas of Prometheus
        report two starts. With none open, a firing notice with the start of a resolved page reopens that page,
        because a lost page does more harm than a page that is shown twice.

        Labels, annotations and `received_at` of a page stay those of its first notice, because later notices describe a
        later moment. Later notices change only the status.
        """
        new = 0
        with self._transaction() as db:
            for notice in notices:
                known = _pages_of(db, notice)
                for row in known:
                    db.execute(
                        "UPDATE pages SET status = ?, resolved_at = ? WHERE id = ?",
                        (notice.status, notice.ends_at, row["id"]),
                    )
                if known:
                    continue
                new += 1
                values = (notice.fingerprint, notice.starts_at, notice.status, json.dumps(notice.labels),
                          json.dumps(notice.annotations), utc_text(time.time()), notice.ends_at)  # fmt: skip
                db.execute(
                    "INSERT INTO pages (fingerprint, starts_at, status, labels, annotations, received_at, resolved_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    values,
                )
        return new

    def pages(self, *, only_open: bool = False, limit: int = RESOLVED_SHOWN) -> list[Page]:
        """Every open page and the newest `limit` resolved ones (none with `only_open`), newest first."""
        query = (
            "SELECT * FROM pages WHERE status = 'firing' OR id IN"
            " (SELECT id FROM pages WHERE status = 'resolved' ORDER BY id DESC LIMIT ?) ORDER BY id DESC"
        )
        with self._connection() as db:
            return [_page(row) for row in db.execute(query, (0 if only_open else limit,))]

    def resolved_pages(self) -> int:
        """The number of resolved pages."""
        with self._connection() as db:
            return int(db.execute("SELECT count(*) FROM pages WHERE status = 'resolved'").fetchone()[0])

    def open_page(self, fingerprint: str) -> Page | None:
        """The open page of a fingerprint, or None."""
        query = "SELECT * FROM pages WHERE fingerprint = ? AND status = 'firing' ORDER BY id DESC LIMIT 1"
        with self._connection() as db:
            row = db.execute(query, (fingerprint,)).fetchone()
        return _page(row) if row else None

    def page(self, page_id: int) -> Page | None:
        """One page, or None."""
        if page_id > LARGEST_ID:
            return None
        with self._connection() as db:
            row = db.execute("SELECT * FROM pages WHERE id = ?", (page_id,)).fetchone()
        return _page(row) if row else None

    def ack(self, page_id: int, by: str) -> tuple[Page, bool] | None:
        """Acknowledge a page; returns it, and whether this call did (the first ack stays). None: no such page."""
        if not by.strip() or len(by) > ACKED_BY_LIMIT:
            raise UsageError(f"'by' must name who acknowledges the page, in 1 to {ACKED_BY_LIMIT} characters")
        if page_id > LARGEST_ID:
            return None
        with self._transaction() as db:
            changed = db.execute(
                "UPDATE pages SET acked_at = ?, acked_by = ? WHERE id = ? AND acked_at IS NULL",
                (utc_text(time.time()), plain(by.strip()), page_id),
            ).rowcount
        page = self.page(page_id)
        return (page, changed == 1) if page else None

    def escalate(self, to: str, at: str, *, received_by: str) -> list[Page]:
        """Escalate the unacknowledged pages received no later than `received_by`; returns the pages it escalated.

        `at` and `received_by` are normalised UTC strings. A page is escalated once, a ticket never. Nothing is written
        when no page is due.
        """
        overdue = f"SELECT id FROM pages WHERE {_WAITING} AND received_at <= ? AND ({_SEVERITY}) IS NOT 'ticket'"  # noqa: S608
        mark = f"UPDATE pages SET escalated_at = ?, escalated_to = ? WHERE id = ? AND {_WAITING}"  # noqa: S608
        with self._connection() as db:
            ids = [row["id"] for row in db.execute(overdue, (received_by,))]
        if not ids:
            return []
        with self._transaction() as db:
            escalated = [page_id for page_id in ids if db.execute(mark, (at, to, page_id)).rowcount]
        return [page for page in map(self.page, escalated) if page]

    def open_fingerprints(self) -> set[str]:
        """The fingerprints of the open pages."""
        with self._connection() as db:
            return {row["fingerprint"] for row in db.execute("SELECT fingerprint FROM pages WHERE status = 'firing'")}

    def resolve(self, fingerprints: Iterable[str], at: str) -> int:
        """Resolve the open pages with these fingerprints at a normalised UTC timestamp; returns their number."""
        query = "UPDATE pages SET status = 'resolved', resolved_at = ? WHERE status = 'firing' AND fingerprint = ?"
        with self._transaction() as db:
            return sum(db.execute(query, (at, fingerprint)).rowcount for fingerprint in fingerprints)

    def close_left_open(self, before: str) -> int:
        """Resolve the open pages received before a normalised UTC timestamp; returns their number."""
        with self._transaction() as db:
            return db.execute(
                "UPDATE pages SET status = 'resolved', resolved_at = ? WHERE status = 'firing' AND received_at < ?",
                (utc_text(time.time()), before),
            ).rowcount

    def record(self, row: AuditRow) -> AuditRow:
        """Add an audit row, or complete the pending one with its id; returns the stored row. A finished one stays."""
        values = {**as_builtins(row), "old": json.dumps(row.old), "new": json.dumps(row.new)}
        with self._transaction() as db:
            db.execute(
                "INSERT INTO audit (id, at, actor, action, target, old, new, outcome, reason)"
                " VALUES (:id, :at, :actor, :action, :target, :old, :new, :outcome, :reason)"
                " ON CONFLICT (id) DO UPDATE SET old = :old, new = :new, outcome = :outcome, reason = :reason"
                " WHERE outcome = 'pending'",
                values,
            )
            stored = db.execute("SELECT * FROM audit WHERE id = ?", (row.id,)).fetchone()
        return _audit(stored)

    def audit(self, since: str = "", last: int | None = None) -> list[AuditRow]:
        """The audit rows from `since` (a normalised UTC timestamp) on, or the `last` ones of them, oldest first."""
        newest = "SELECT * FROM audit WHERE at >= ? ORDER BY at DESC, seq DESC LIMIT ?"
        with self._connection() as db:
            return [_audit(row) for row in db.execute(newest, (since, -1 if last is None else last))][::-1]

    def counts(self) -> list[tuple[str, str, bool, bool, int]]:
        """(severity, status, acked, escalated, number of pages) for each combination, for /metrics."""
        query = (
            f"SELECT {_SEVERITY}, status, acked_at IS NOT NULL, escalated_at IS NOT NULL, count(*) FROM pages"  # noqa: S608
            " GROUP BY 1, 2, 3, 4"
        )
        with self._connection() as db:
            return [
                (str(severity or ""), status, bool(acked), bool(escalated), number)
                for severity, status, acked, escalated, number in db.execute(query)
            ]

    def check(self) -> None:
        """Raises sqlite3.Error when the store cannot be read."""
        with self._connection() as db:
            db.execute("SELECT count(*) FROM pages").fetchone()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=10, isolation_level=None)) as db:
            db.row_factory = sqlite3.Row
            # A row that an older version or a failing disk left malformed must not make the other rows unreadable.
            db.text_factory = lambda stored: stored.decode("utf-8", "replace")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            yield db

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                if db.in_transaction:  # SQLite has rolled back by itself when the disk is full
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")


def _add_columns(db: sqlite3.Connection) -> None:
    """Migrate a store of an older version to schema.sql. Idempotent, also after a kill half-way through."""
    present = {row["name"] for row in db.execute("PRAGMA table_info(pages)")}
    for name in ADDED_COLUMNS:
        if name not in present:
            db.execute(f"ALTER TABLE pages ADD COLUMN {name} TEXT")


def _pages_of(db: sqlite3.Connection, notice: Notice) -> list[sqlite3.Row]:
    """The pages that a notice belongs to: the open ones of its fingerprint, else the one with its start."""
    known = db.execute(
        "SELECT id, status, starts_at FROM pages WHERE fingerprint = ?", (notice.fingerprint,)
    ).fetchall()
    opened = [row for row in known if row["status"] == "firing"]
    own = [row for row in known if row["starts_at"] == notice.starts_at]
    ended = notice.ends_at
    if own and ended is not None and all(row["starts_at"] > ended for row in opened):
        return own  # a repeat of an old notice: the open pages began after its end
    return opened or own


def _page(row: sqlite3.Row) -> Page:
    labels, annotations = _texts(row["labels"]), _texts(row["annotations"])
    if labels is None or annotations is None:
        stored = plain(f"{row['labels']} {row['annotations']}", 1000)
        labels = labels or {"alertname": PLACEHOLDER, "severity": PLACEHOLDER_SEVERITY}
        annotations = annotations or {
            "summary": "The stored labels or annotations of this page are damaged",
            "description": f"Stored: {stored}",
        }
    return Page(
        id=row["id"],
        fingerprint=plain(row["fingerprint"]),
        status=row["status"],
        labels=labels,
        annotations=annotations,
        starts_at=_shown(row["starts_at"]) or "",
        received_at=_shown(row["received_at"]) or "",
        alertname=labels.get("alertname", ""),
        severity=labels.get("severity", ""),
        service=labels.get("service", ""),
        slo=labels.get("slo", ""),
        summary=annotations.get("summary", ""),
        description=annotations.get("description", ""),
        runbook_url=annotations.get("runbook_url", ""),
        dashboard_url=annotations.get("dashboard_url", ""),
        resolved_at=_shown(row["resolved_at"]),
        acked_at=_shown(row["acked_at"]),
        acked_by=_shown(row["acked_by"]),
        escalated_at=_shown(row["escalated_at"]),
        escalated_to=_shown(row["escalated_to"]),
    )


def _texts(stored: Any) -> dict[str, str] | None:
    """A stored JSON object of strings; None if it is not one."""
    value = _json(stored)
    return {name: str(text) for name, text in value.items()} if isinstance(value, dict) else None


def _json(stored: Any) -> Any:
    """A stored JSON value; a string if it is not JSON."""
    try:
        return plain_json(json.loads(stored))
    except (ValueError, TypeError, RecursionError):
        return _shown(stored)


def _shown(stored: Any) -> str | None:
    return None if stored is None else plain(str(stored))


def _audit(row: sqlite3.Row) -> AuditRow:
    fields: dict[str, Any] = {name: _shown(row[name]) or "" for name in AUDIT_TEXTS}
    return AuditRow(**fields, old=_json(row["old"]), new=_json(row["new"]))
