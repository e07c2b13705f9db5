"""Database actions: list sessions and lock waits, end sessions, check and rebuild indexes.

Connects to PostgreSQL directly, not through the link, as the role of the services, which may signal other client
sessions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from lab.control.lab_clients import LabClients
from lab.errors import LabError, NotRunning, UsageError
from lab.services.indexes import concurrently, definitions
from lab.stack.backends import postgres

APPLICATION = "fleetops-db"
CONNECT_SECONDS = 3
IDLE_SECONDS = 5.0  # a transaction that has been idle for longer is considered abandoned

_ACTIVITY = """
SELECT pid, coalesce(application_name, '') AS application, coalesce(state, '') AS state,
       coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0)::float8 AS transaction_seconds,
       coalesce(extract(epoch FROM clock_timestamp() - state_change), 0)::float8 AS state_seconds,
       coalesce((SELECT mode FROM pg_locks WHERE pg_locks.pid = session.pid AND NOT granted LIMIT 1), '') AS waits_for,
       CASE WHEN wait_event_type = 'Lock' THEN pg_blocking_pids(pid) ELSE '{}' END AS blocked_by,
       coalesce(query, '') AS query
FROM pg_stat_activity AS session
WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()
ORDER BY xact_start NULLS LAST, pid
"""
# Sessions that hold or wait for a lock that blocks every other access to a table.
_EXCLUSIVE = "SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'"
_INDEXES = """
SELECT wanted AS name, indexrelid IS NOT NULL AS found, coalesce(indisvalid AND indisready, false) AS valid,
       coalesce(pg_relation_size(indexrelid), 0) AS size_bytes
FROM unnest(%s::text[]) AS wanted LEFT JOIN pg_index ON indexrelid = to_regclass('public.' || wanted)
ORDER BY 1
"""


@dataclass(frozen=True)
class Session:
    """One client session. `waits_for`: the mode of the lock it waits for, or ""; `blocked_by`: pids of its holders."""

    pid: int
    application: str
    state: str
    transaction_seconds: float
    state_seconds: float
    waits_for: str
    blocked_by: list[int]
    query: str

    @property
    def idle_in_transaction(self) -> bool:
        """Whether it has an open transaction and runs no statement."""
        return self.state.startswith("idle in transaction")


@dataclass(frozen=True)
class Index:
    """One index that the queries need. `found`: it exists; `valid`: it exists and its build finished."""

    name: str
    found: bool
    valid: bool
    size_bytes: int


def activity(clients: LabClients) -> list[Session]:
    """Every client session, oldest open transaction first. NotRunning when the database does not answer."""
    with _connected(clients) as connection:
        return _sessions(connection)


def cancel(
    clients: LabClients, pids: Sequence[int] = (), *, idle: bool = False, ddl: bool = False,
    older_than_seconds: float | None = None, reason: str = "",
) -> list[tuple[Session, str]]:  # fmt: skip
    """End the work of the chosen sessions; returns each with "cancelled", "terminated" or "gone".

    `idle` chooses sessions idle in a transaction for `older_than_seconds` (default IDLE_SECONDS); `ddl` those that hold
    or wait for an ACCESS EXCLUSIVE lock and block others. A running statement is cancelled; an idle transaction has
    none, so its session is terminated, which rolls it back. Raises UsageError for an unknown pid, LabError when nothing
    matches.
    """
    with _connected(clients) as connection:
        sessions = {session.pid: session for session in _sessions(connection)}
        if unknown := [pid for pid in pids if pid not in sessions]:
            raise UsageError(f"no client session has pid {unknown[0]}; see `fleetops db activity`")
        chosen = [sessions[pid] for pid in pids]
        if idle:
            seconds = IDLE_SECONDS if older_than_seconds is None else older_than_seconds
            chosen += [s for s in sessions.values() if s.idle_in_transaction and s.state_seconds >= seconds]
        if ddl:
            exclusive = {row[0] for row in connection.execute(_EXCLUSIVE)}
            blocking = {pid for session in sessions.values() for pid in session.blocked_by}
            chosen += [session for session in sessions.values() if session.pid in exclusive & blocking]
        if not chosen:
            raise LabError("no session matches; nothing was cancelled; see `fleetops db activity`")
        target = ", ".join(f"pid {session.pid}" for session in chosen)
        with clients.trail.action("db cancel", target, reason=reason) as change:
            change.old = [
                {"pid": s.pid, "application": s.application, "state": s.state, "query": s.query[:200]} for s in chosen
            ]
            ended = [(session, _end(connection, session)) for session in chosen]
            change.new = [{"pid": session.pid, "outcome": outcome} for session, outcome in ended]
    return ended


def _end(connection: psycopg.Connection, session: Session) -> str:
    function: LiteralString = "pg_terminate_backend" if session.idle_in_transaction else "pg_cancel_backend"
    try:
        row = connection.execute(sql.SQL("SELECT {}(%s)").format(sql.Identifier(function)), [session.pid]).fetchone()
    except psycopg.errors.InsufficientPrivilege as error:
        raise LabError(f"pid {session.pid}: {str(error).splitlines()[0]}") from None
    if not (row and row[0]):
        return "gone"
    return "terminated" if session.idle_in_transaction else "cancelled"


def indexes(clients: LabClients) -> list[Index]:
    """Every index that the queries need, by name, with its state."""
    with _connected(clients) as connection:
        return _indexes(connection)


def create_index(clients: LabClients, name: str | None, reason: str = "") -> list[Index]:
    """Build index `name` (None: every missing or invalid one) without blocking writes; returns the built indexes.

    An invalid index left by an interrupted build is dropped first. Raises UsageError for an unknown name, LabError when
    no index is missing or one is not valid afterwards.
    """
    known = definitions()
    if name is not None and name not in known:
        raise UsageError(f"no index {name!r}; the indexes are {', '.join(sorted(known))}")
    with _connected(clients, statement_milliseconds=0) as connection:
        broken = [index for index in _indexes(connection) if not index.valid and name in (None, index.name)]
        if not broken:
            raise LabError(f"{name or 'every index'} exists and is valid; nothing was done")
        for index in broken:
            with clients.trail.action("db index create", index.name, new="valid", reason=reason) as change:
                change.old = "invalid" if index.found else "missing"
                _create(connection, index, known[index.name])
        rebuilt = {index.name for index in broken}
        return [index for index in _indexes(connection) if index.name in rebuilt]


def _create(connection: psycopg.Connection, index: Index, statement: str) -> None:
    try:
        if index.found:
            connection.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(index.name)))
        connection.execute(concurrently(statement).encode())
    except psycopg.Error as error:
        raise LabError(f"{index.name}: PostgreSQL refused: {str(error).splitlines()[0]}") from None
    if not all(row.valid for row in _indexes(connection) if row.name == index.name):
        raise LabError(
            f"{index.name} was built but is not valid; run the command again: it drops the invalid index first"
        )


def _sessions(connection: psycopg.Connection) -> list[Session]:
    with connection.cursor(row_factory=class_row(Session)) as cursor:
        return cursor.execute(_ACTIVITY).fetchall()


def _indexes(connection: psycopg.Connection) -> list[Index]:
    with connection.cursor(row_factory=class_row(Index)) as cursor:
        return cursor.execute(_INDEXES, [list(definitions())]).fetchall()


@contextmanager
def _connected(clients: LabClients, statement_milliseconds: int = 5000) -> Iterator[psycopg.Connection]:
    options = f"-c statement_timeout={statement_milliseconds} -c lock_timeout=5000"
    try:
        connection = psycopg.connect(
            postgres.url(clients.home, clients.ports.postgres), autocommit=True, application_name=APPLICATION,
            connect_timeout=CONNECT_SECONDS, options=options,
        )  # fmt: skip
    except psycopg.OperationalError as error:
        reason = (str(error).strip().splitlines() or ["no answer"])[-1]
        raise NotRunning(
            f"the database does not answer: {reason}; see `fleetops status` and `fleetops logs postgres`"
        ) from None
    with connection:
        yield connection
