"""What on-call may do in the DB: see who does what and who waits for whom, end sessions, make an index anew.

Everything goes to the DB directly and as the services' own role, which may signal other sessions of its kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from lab.control.lab_clients import LabClients
from lab.errors import LabError, NotRunning, UsageError
from lab.services.indexes import concurrently, definitions
from lab.stack.backends import postgres

APPLICATION = "fleetops-db"
CONNECT_SECONDS = 3
IDLE_SECONDS = 5.0  # a transaction that idles for longer was forgotten

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
# Who holds or wants the lock that shuts everybody out of a table, and has somebody waiting for it.
_EXCLUSIVE = "SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'"
_INDEXES = """
SELECT wanted AS name, indexrelid IS NOT NULL AS found, coalesce(indisvalid AND indisready, false) AS valid,
       coalesce(pg_relation_size(indexrelid), 0) AS size_bytes
FROM unnest(%s::text[]) AS wanted LEFT JOIN pg_index ON indexrelid = to_regclass('public.' || wanted)
ORDER BY 1
"""


@dataclass(frozen=True)
class Session:
    """One client session. `waits_for` is the mode of the lock it waits for, `blocked_by` the pids that keep it."""

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
        """Whether it sits in an open transaction and does nothing."""
        return self.state.startswith("idle in transaction")

    def as_json(self) -> dict[str, Any]:
        """As `fleetops db activity --json` lists it."""
        return asdict(self)


@dataclass(frozen=True)
class Index:
    """One index that the queries count on."""

    name: str
    found: bool
    valid: bool
    size_bytes: int


def activity(clients: LabClients) -> list[Session]:
    """Every client session, the oldest open transaction first."""
    with _connected(clients) as connection:
        return _sessions(connection)


def cancel(
    clients: LabClients, pids: Sequence[int] = (), *, idle: bool = False, ddl: bool = False,
    older_than_seconds: float | None = None, reason: str = "",
) -> list[tuple[Session, str]]:  # fmt: skip
    """End what the given sessions do; returns each with "cancelled" or "terminated".

    `idle`: those that sit in an open transaction for `older_than_seconds`; `ddl`: those that hold or wait for an
    ACCESS EXCLUSIVE lock and keep somebody else waiting. A statement is cancelled; an idle transaction has none, so its
    session is terminated, which rolls it back. Raises UsageError for a pid that is no client's, LabError for no match.
    """
    with _connected(clients) as connection:
        sessions = {session.pid: session for session in _sessions(connection)}
        if unknown := [pid for pid in pids if pid not in sessions]:
            raise UsageError(f"no client session has pid {unknown[0]}; see `fleetops db activity`")
        chosen = [sessions[pid] for pid in pids]
        if idle:
            least = IDLE_SECONDS if older_than_seconds is None else older_than_seconds
            chosen += [one for one in sessions.values() if one.idle_in_transaction and one.state_seconds >= least]
        if ddl:
            exclusive = {row[0] for row in connection.execute(_EXCLUSIVE)}
            blocking = {pid for one in sessions.values() for pid in one.blocked_by}
            chosen += [one for one in sessions.values() if one.pid in exclusive & blocking]
        if not chosen:
            raise LabError("no session matches; nothing was cancelled; see `fleetops db activity`")
        target = ", ".join(f"pid {one.pid}" for one in chosen)
        with clients.trail.action("db cancel", target, reason=reason) as change:
            change.old = [
                {"pid": one.pid, "application": one.application, "state": one.state, "query": one.query[:200]}
                for one in chosen
            ]
            done = [(one, _end(connection, one)) for one in chosen]
            change.new = [{"pid": one.pid, "outcome": outcome} for one, outcome in done]
    return done


def _end(connection: psycopg.Connection, session: Session) -> str:
    function: LiteralString = "pg_terminate_backend" if session.idle_in_transaction else "pg_cancel_backend"
    try:
        done = connection.execute(sql.SQL("SELECT {}(%s)").format(sql.Identifier(function)), [session.pid]).fetchone()
    except psycopg.errors.InsufficientPrivilege as problem:
        raise LabError(f"pid {session.pid}: {str(problem).splitlines()[0]}") from None
    if not (done and done[0]):
        return "gone"
    return "terminated" if session.idle_in_transaction else "cancelled"


def indexes(clients: LabClients) -> list[Index]:
    """Every index the queries count on, whether it is there and whether it is valid."""
    with _connected(clients) as connection:
        return _indexes(connection)


def create_index(clients: LabClients, name: str | None, reason: str = "") -> list[Index]:
    """Make index `name` (None: every one that is missing or invalid) while the DB serves on; returns them, valid.

    What a cut-off attempt left invalid is dropped first. Raises UsageError for an unknown name, LabError when nothing
    is missing or the index is not valid afterwards.
    """
    known = definitions()
    if name is not None and name not in known:
        raise UsageError(f"no index {name!r}; the indexes are {', '.join(sorted(known))}")
    with _connected(clients, statement_milliseconds=0) as connection:
        broken = [one for one in _indexes(connection) if not one.valid and name in (None, one.name)]
        if not broken:
            raise LabError(f"{name or 'every index'} is there and valid; nothing was done")
        for index in broken:
            with clients.trail.action("db index create", index.name, new="valid", reason=reason) as change:
                change.old = "invalid" if index.found else "missing"
                _create(connection, index, known[index.name])
        made = {index.name for index in broken}
        return [one for one in _indexes(connection) if one.name in made]


def _create(connection: psycopg.Connection, index: Index, statement: str) -> None:
    try:
        if index.found:
            connection.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(index.name)))
        connection.execute(concurrently(statement).encode())
    except psycopg.Error as problem:
        raise LabError(f"{index.name}: the DB refused: {str(problem).splitlines()[0]}") from None
    if not all(one.valid for one in _indexes(connection) if one.name == index.name):
        raise LabError(f"{index.name} was made but is not valid; run this again: it drops the remains first")


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
    except psycopg.OperationalError as problem:
        why = (str(problem).strip().splitlines() or ["no answer"])[-1]
        raise NotRunning(f"the DB does not answer: {why}; see `fleetops status` and `fleetops logs postgres`") from None
    with connection:
        yield connection
