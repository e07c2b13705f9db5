"""Pages and the audit log, durable before anything is answered.

SQLite in WAL mode with synchronous=FULL: a row is on the disk when its transaction returns, so `kill -9` between a
page and its ack, or in the middle of either, loses neither.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
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
# Columns of `pages` that a store made by an older version may lack.
AUDIT_TEXTS = ("id", "at", "actor", "action", "target", "outcome", "reason")
ADDED_COLUMNS = ("escalated_at", "escalated_to")
_SEVERITY = "CASE WHEN json_valid(labels) THEN json_extract(labels, '$.severity') END"
_WAITING = "status = 'firing' AND acked_at IS NULL AND escalated_at IS NULL"


class Store:
    """One SQLite file. Every call opens its own connection, so any thread may call.

    One more stays open: the last to close would remove SQLite's shared index, and on a full disk the next could not
    make it again, not even to read.
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
        """Close the connection that is held open."""
        self._held.close()

    def receive(self, notices: Sequence[Notice]) -> int:
        """Store a whole notification in one transaction; returns how many of its notices were new pages.

        A notice belongs to the open page of its fingerprint, whatever its start: two replicas of Prometheus report two.
        With none open, a firing notice for a page that had resolved opens that page again: a page shown twice is an
        annoyance, a page that is lost is an outage.

        Labels, annotations and `received_at` of a page stay those of its first notice: what a later one says is about a
        later moment, a resolved one even about the end. Later notices change only its status.
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
                db.execute(
                    "INSERT INTO pages (fingerprint, starts_at, status, labels, annotations, received_at, resolved_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        notice.fingerprint,
                        notice.starts_at,
                        notice.status,
                        json.dumps(notice.labels),
                        json.dumps(notice.annotations),
                        utc_text(time.time()),
                        notice.ends_at,
                    ),
                )
        return new

    def pages(self, *, only_open: bool = False, limit: int = RESOLVED_SHOWN) -> list[Page]:
        """Every open page and the newest `limit` resolved ones (none with `only_open`), the newest first."""
        query = (
            "SELECT * FROM pages WHERE status = 'firing' OR id IN"
            " (SELECT id FROM pages WHERE status = 'resolved' ORDER BY id DESC LIMIT ?) ORDER BY id DESC"
        )
        with self._connection() as db:
            return [_page(row) for row in db.execute(query, (0 if only_open else limit,))]

    def resolved_pages(self) -> int:
        """How many pages are resolved."""
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
        """Acknowledge a page; it, and whether this call was the one that did (the first ack stays). None: no page."""
        if not by.strip() or len(by) > ACKED_BY_LIMIT:
            raise UsageError(f"'by' must say who takes the page, in 1 to {ACKED_BY_LIMIT} characters")
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
        """Mark the pages that were received by `received_by` and wait for an acknowledgement as escalated; these pages.

        Instants are normalised UTC texts. A page is escalated once; a ticket wakes nobody, so it never is. Nothing is
        written when there is none.
        """
        due = f"SELECT id FROM pages WHERE {_WAITING} AND received_at <= ? AND ({_SEVERITY}) IS NOT 'ticket'"  # noqa: S608
        mark = f"UPDATE pages SET escalated_at = ?, escalated_to = ? WHERE id = ? AND {_WAITING}"  # noqa: S608
        with self._connection() as db:
            found = [row["id"] for row in db.execute(due, (received_by,))]
        if not found:
            return []
        with self._transaction() as db:
            marked = [page_id for page_id in found if db.execute(mark, (at, to, page_id)).rowcount]
        return [page for page in map(self.page, marked) if page]

    def close_left_open(self, before: str) -> int:
        """Mark open pages received before an instant (a normalised UTC text) as resolved now; how many there were."""
        with self._transaction() as db:
            return db.execute(
                "UPDATE pages SET status = 'resolved', resolved_at = ? WHERE status = 'firing' AND received_at < ?",
                (utc_text(time.time()), before),
            ).rowcount

    def record(self, row: AuditRow) -> AuditRow:
        """Add an audit row, or give a pending one its outcome; the stored row. A finished row never changes again."""
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

    def audit(self, since: str = "", limit: int = 1000) -> list[AuditRow]:
        """The last `limit` audit rows from `since` (a normalised UTC text) on, oldest first."""
        newest = "SELECT * FROM audit WHERE at >= ? ORDER BY at DESC, seq DESC LIMIT ?"
        with self._connection() as db:
            return [_audit(row) for row in db.execute(newest, (since, limit))][::-1]

    def counts(self) -> list[tuple[str, str, bool, bool, int]]:
        """(severity, status, acked, escalated, number of pages), for /metrics."""
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
        """Raises what SQLite says when the store cannot be read."""
        with self._connection() as db:
            db.execute("SELECT count(*) FROM pages").fetchone()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=10, isolation_level=None)) as db:
            db.row_factory = sqlite3.Row
            # What an older version stored, or a disk damaged, must not keep the other rows from being read.
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
    """Bring a store made by an older version up to schema.sql. Safe to repeat, also after a kill half-way."""
    present = {row["name"] for row in db.execute("PRAGMA table_info(pages)")}
    for name in ADDED_COLUMNS:
        if name not in present:
            db.execute(f"ALTER TABLE pages ADD COLUMN {name} TEXT")


def _pages_of(db: sqlite3.Connection, notice: Notice) -> list[sqlite3.Row]:
    """The pages that a notice is about: those of its fingerprint that are open, else the one with its start."""
    known = db.execute(
        "SELECT id, status, starts_at FROM pages WHERE fingerprint = ?", (notice.fingerprint,)
    ).fetchall()
    opened = [row for row in known if row["status"] == "firing"]
    own = [row for row in known if row["starts_at"] == notice.starts_at]
    ended = notice.ends_at
    if own and ended is not None and all(row["starts_at"] > ended for row in opened):
        return own  # an old notice again: what is open began after its end
    return opened or own


def _page(row: sqlite3.Row) -> Page:
    labels, annotations = _texts(row["labels"]), _texts(row["annotations"])
    if labels is None or annotations is None:
        stored = plain(f"{row['labels']} {row['annotations']}", 1000)
        labels = labels or {"alertname": PLACEHOLDER, "severity": PLACEHOLDER_SEVERITY}
        annotations = annotations or {
            "summary": "The stored text of this page cannot be read",
            "description": f"It is: {stored}",
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
    """A stored JSON object of strings; None when it is something else."""
    value = _json(stored)
    return {plain(name): plain(str(text)) for name, text in value.items()} if isinstance(value, dict) else None


def _json(stored: Any) -> Any:
    """A stored JSON value; what is not JSON, as a string."""
    try:
        return plain_json(json.loads(stored))
    except (ValueError, TypeError, RecursionError):
        return _shown(stored)


def _shown(stored: Any) -> str | None:
    return None if stored is None else plain(str(stored))


def _audit(row: sqlite3.Row) -> AuditRow:
    fields: dict[str, Any] = {name: _shown(row[name]) or "" for name in AUDIT_TEXTS}
    return AuditRow(**fields, old=_json(row["old"]), new=_json(row["new"]))
