"""The services' database client: a bounded connection pool; every operation is measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from time import perf_counter
from typing import Any, LiteralString

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout
from werkzeug.exceptions import ServiceUnavailable

from lab import names
from lab.telemetry import logs, spans
from lab.telemetry.http import count_log_field
from lab.telemetry.metrics import CollectorRegistry, Gauge, Histogram

Row = tuple[Any, ...]
POOL_WAIT = "wait for a database connection"

# A pool that grew for a burst closes one idle connection every IDLE_SECONDS, because backends use memory.
IDLE_SECONDS = 4.0
# Connections are replaced after this time, one after the other, so that a changed role or certificate takes effect.
LIFETIME_SECONDS = 60.0
WAIT_SECONDS = 1.0
RECONNECT_SECONDS = 5.0
PING_SECONDS = 1.0
OPERATION_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5)
# Shorter than the gateway's timeout, so that no query outlives its request.
SESSION_OPTIONS = "-c statement_timeout=2000"


class Session:
    """A connection from the pool, in autocommit mode: every statement is one round trip."""

    def __init__(self, connection: psycopg.Connection, durations: Histogram) -> None:
        self._cursor = connection.cursor()
        self._durations = durations
        self.operations = 0

    def rows(
        self, operation: str, query: LiteralString | bytes, values: Sequence[Any] | Mapping[str, Any]
    ) -> list[Row]:
        """All rows of `query`; `operation` is its name in the metrics."""
        started, error = perf_counter(), ""
        try:
            rows = self._cursor.execute(query, values).fetchall()
        except psycopg.Error as problem:
            error = type(problem).__name__
            raise
        finally:
            spans.record(operation, started, spans.CLIENT, _attributes(operation, query), error=error)
        self._durations.labels(operation).observe(perf_counter() - started)
        self.operations += 1
        if logs.shows_debug():
            text = query if isinstance(query, str) else query.decode()
            logs.get().debug("db operation", operation=operation, statement=text, values=values, rows=len(rows))
        return rows

    def row(
        self, operation: str, query: LiteralString | bytes, values: Sequence[Any] | Mapping[str, Any]
    ) -> Row | None:
        """The first row of `query`, or None."""
        rows = self.rows(operation, query, values)
        return rows[0] if rows else None


@lru_cache(maxsize=100)
def _attributes(operation: str, query: LiteralString | bytes) -> dict[str, str]:
    """The attributes of a statement's span. Values are never part of a query, so its text is safe to show."""
    text = query if isinstance(query, str) else query.decode()
    return {
        names.ATTRIBUTE_DB_SYSTEM: "postgresql",
        names.ATTRIBUTE_DB_OPERATION: operation,
        names.ATTRIBUTE_DB_QUERY: " ".join(text.split()),
    }


class Database:
    """A pool of at most `pool_max` connections to `url`; starts with one and shrinks when idle."""

    def __init__(self, url: str, *, application: str, pool_max: int, registry: CollectorRegistry) -> None:
        self._pool = ConnectionPool(
            url,
            kwargs={
                "autocommit": True,
                "application_name": application,
                "options": SESSION_OPTIONS,
                "connect_timeout": 3,
            },
            min_size=1,
            max_size=pool_max,
            timeout=WAIT_SECONDS,
            max_idle=IDLE_SECONDS,
            max_lifetime=LIFETIME_SECONDS,
            reconnect_timeout=RECONNECT_SECONDS,
            open=False,
            name=application,
        )
        self._durations = Histogram(
            names.DB_OPERATION_DURATION,
            "Duration of database operations, including the network round trip.",
            ["db_operation_name"],
            buckets=OPERATION_BUCKETS_SECONDS,
            registry=registry,
        )
        self._waits = Histogram(
            names.DB_POOL_WAIT,
            "Time spent waiting for a connection from the pool.",
            buckets=OPERATION_BUCKETS_SECONDS,
            registry=registry,
        )
        self._export(registry, pool_max)

    def open(self) -> None:
        """Starts connecting in the background, so that a database that is down now may start later."""
        self._pool.open()

    def close(self) -> None:
        """Closes every connection."""
        self._pool.close(timeout=2)

    def ping(self) -> None:
        """Raises when the database does not answer within a second.

        The first attempt may use a pooled connection that broke when the database restarted, which is then discarded;
        a second attempt shows whether the database answers now.
        """
        try:
            self._ping()
        except psycopg.OperationalError:
            self._ping()

    def _ping(self) -> None:
        with self._pool.connection(timeout=PING_SECONDS) as connection:
            connection.execute("SELECT 1")

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A connection for this block. Raises ServiceUnavailable (503) on a pool timeout or a database error."""
        started = perf_counter()
        try:
            with self._pool.connection() as connection:
                self._waited(started)
                session = Session(connection, self._durations)
                try:
                    yield session
                finally:
                    count_log_field("db_operations", session.operations)
        except PoolTimeout:
            self._waited(started, "timeout")
            raise ServiceUnavailable("timed out waiting for a database connection", retry_after=1) from None
        except psycopg.OperationalError as problem:
            reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
            count_log_field("db_errors")
            raise ServiceUnavailable(f"database error: {reason}", retry_after=1) from problem

    def _waited(self, started: float, error: str = "") -> None:
        self._waits.observe(perf_counter() - started)
        spans.record(POOL_WAIT, started, error=error)

    def _export(self, registry: CollectorRegistry, pool_max: int) -> None:
        connections = Gauge(names.DB_POOL_CONNECTIONS, "Connections in the pool.", ["state"], registry=registry)
        connections.labels("idle").set_function(lambda: self._stat("pool_available"))
        connections.labels("used").set_function(lambda: self._stat("pool_size") - self._stat("pool_available"))
        Gauge(names.DB_POOL_MAX, "Maximum number of connections in the pool.", registry=registry).set(pool_max)
        pending = Gauge(names.DB_POOL_PENDING, "Requests waiting for a connection.", registry=registry)
        pending.set_function(lambda: self._stat("requests_waiting"))

    def _stat(self, key: str) -> float:
        return float(self._pool.get_stats().get(key, 0))
