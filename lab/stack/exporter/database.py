"""Metrics of PostgreSQL's sessions, locks and indexes, sampled once a second.

The sampler has its own direct connection, so that a fault of the link does not hide the database's state. A scrape
reads the last sample and never waits for the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lab import names
from lab.services.indexes import definitions
from lab.stack.exporter.worker import CONNECT_SECONDS, Worker, connect

INTERVAL_SECONDS = 1.0
STATEMENT_MILLISECONDS = 2000
APPLICATION = "exporter"

_SESSIONS = """
SELECT coalesce(nullif(application_name, ''), 'other'), coalesce(state, 'other'), count(*)::float8,
       coalesce(extract(epoch FROM max(now() - xact_start)), 0)::float8,
       coalesce(extract(epoch FROM max(now() - state_change)), 0)::float8
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname = current_database()
GROUP BY 1, 2
"""
_WAITERS = """
SELECT mode, count(*)::float8, coalesce(extract(epoch FROM max(clock_timestamp() - waitstart)), 0)::float8
FROM pg_locks WHERE NOT granted GROUP BY 1
"""
_INDEXES = """
SELECT wanted, coalesce(bool_or(indisvalid AND indisready), false)
FROM unnest(%s::text[]) AS wanted LEFT JOIN pg_index ON indexrelid = to_regclass('public.' || wanted)
WHERE to_regclass('public.posts') IS NOT NULL -- before there are tables, no index is missing
GROUP BY 1
"""


@dataclass(frozen=True)
class Sample:
    """One sample of the database's state.

    `sessions` has rows of application, state, count, oldest transaction and longest time in the state (seconds);
    `waiters` of lock mode, count and longest wait (seconds); `indexes` of name and validity.
    """

    sessions: list[tuple[str, str, float, float, float]] = field(default_factory=list)
    waiters: list[tuple[str, float, float]] = field(default_factory=list)
    indexes: list[tuple[str, bool]] = field(default_factory=list)
    max_sessions: float = 0.0


def take_sample(connection: psycopg.Connection) -> Sample:
    """Query the database's state. Raises psycopg.Error."""
    (max_sessions,) = connection.execute("SELECT current_setting('max_connections')::float8").fetchone() or (0.0,)
    return Sample(
        connection.execute(_SESSIONS).fetchall(),
        connection.execute(_WAITERS).fetchall(),
        connection.execute(_INDEXES, [list(definitions())]).fetchall(),
        max_sessions,
    )


class DatabaseCollector(Worker, Collector):
    """Samples the database in a thread; exports only `db_up 0` while it does not answer."""

    def __init__(self, url: str) -> None:
        super().__init__("db-sampler", CONNECT_SECONDS)
        self._url = url
        self._sample: Sample | None = None

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with connect(self._url, APPLICATION, STATEMENT_MILLISECONDS) as connection:
                    while not self._stopped.is_set():
                        # A slow database is not down: keep the last sample.
                        with suppress(psycopg.errors.QueryCanceled):
                            self._sample = take_sample(connection)
                        self._stopped.wait(INTERVAL_SECONDS)
            except psycopg.Error as error:
                if self._sample is not None:
                    self._log.warning("the database does not answer", reason=(str(error).splitlines() or ["?"])[0])
                self._sample = None
                self._stopped.wait(INTERVAL_SECONDS)

    def collect(self) -> Iterator[Metric]:
        """The last sample as metrics."""
        sample = self._sample
        yield GaugeMetricFamily(names.DB_UP, "Whether the database answers.", value=float(sample is not None))
        if sample is not None:
            yield from families(sample)


def families(sample: Sample) -> Iterator[Metric]:
    """The metric families of one sample."""
    sessions = GaugeMetricFamily(names.DB_SESSIONS, "Client sessions.", labels=["application", "state"])
    oldest: dict[str, float] = {}
    idle, idle_oldest = 0.0, 0.0
    for application, state, count, transaction_seconds, state_seconds in sample.sessions:
        sessions.add_metric([application, state], count)
        oldest[application] = max(oldest.get(application, 0.0), transaction_seconds)
        if state.startswith("idle in transaction"):
            idle, idle_oldest = idle + count, max(idle_oldest, state_seconds)
    yield sessions
    yield GaugeMetricFamily(
        names.DB_SESSIONS_MAX, "Maximum number of sessions (max_connections).", value=sample.max_sessions
    )
    transactions = GaugeMetricFamily(
        names.DB_TRANSACTION_OLDEST, "Age of the oldest open transaction.", labels=["application"]
    )
    for application, seconds in oldest.items():
        transactions.add_metric([application], seconds)
    yield transactions
    yield GaugeMetricFamily(names.DB_IDLE_IN_TRANSACTION, "Sessions that are idle in a transaction.", value=idle)
    yield GaugeMetricFamily(
        names.DB_IDLE_IN_TRANSACTION_OLDEST, "Longest time idle in a transaction.", value=idle_oldest
    )
    waiters = GaugeMetricFamily(names.DB_LOCK_WAITERS, "Sessions that wait for a lock.", labels=["mode"])
    for mode, count, _ in sample.waiters:
        waiters.add_metric([mode], count)
    yield waiters
    yield GaugeMetricFamily(
        names.DB_LOCK_WAIT_OLDEST,
        "Longest current wait for a lock.",
        value=max((seconds for *_, seconds in sample.waiters), default=0.0),
    )
    indexes = GaugeMetricFamily(names.DB_INDEX_VALID, "1 if the index exists and is valid, else 0.", labels=["index"])
    for index, valid in sample.indexes:
        indexes.add_metric([index], float(valid))
    yield indexes
