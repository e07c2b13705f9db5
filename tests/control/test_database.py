"""Database actions, on a real PostgreSQL: lock waits are visible, and the right session is ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest
from fakes import FakePager
from support import eventually

from lab.control import database
from lab.control.lab_clients import LabClients
from lab.errors import LabError, NotRunning, UsageError
from lab.stack.backends import postgres
from lab.stack.exporter.database import families, take_sample

INDEX = "posts_author_recent_idx"


@pytest.fixture
def db_clients(clients: LabClients, seeded_url: str, monkeypatch: pytest.MonkeyPatch) -> LabClients:
    """Lab clients of the session's database."""
    monkeypatch.setattr(postgres, "url", lambda *_: seeded_url)
    return clients


@contextmanager
def client(url: str, application: str, autocommit: bool = False) -> Iterator[psycopg.Connection]:
    connection = psycopg.connect(url, application_name=application, autocommit=autocommit)
    try:
        yield connection
    finally:
        with suppress(psycopg.Error):
            connection.rollback()
        connection.close()


def in_background(connection: psycopg.Connection, statement: bytes, outcomes: dict[str, str]) -> threading.Thread:
    def run() -> None:
        try:
            connection.execute(statement)
            outcome = "done"
        except psycopg.errors.QueryCanceled:
            outcome = "cancelled"
        except psycopg.errors.AdminShutdown:
            outcome = "terminated"
        outcomes[connection.info.get_parameters().get("application_name", "")] = outcome

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def waiting(clients: LabClients) -> set[str]:
    return {session.application for session in database.activity(clients) if session.blocked_by}


def metrics(url: str) -> dict[str, float]:
    """The exporter's metrics now, each with its largest sample."""
    with psycopg.connect(url, autocommit=True) as connection:
        metric_families = families(take_sample(connection))
        return {
            family.name: max((sample.value for sample in family.samples), default=0.0) for family in metric_families
        }


def test_a_migration_queued_behind_a_long_read_is_cancelled_and_blocked_readers_continue(
    db_clients: LabClients, seeded_url: str, pager: FakePager
) -> None:
    """The long read is left alone: it blocks nobody once the migration is cancelled."""
    outcomes: dict[str, str] = {}
    with (
        client(seeded_url, "report") as report, client(seeded_url, "migration", True) as migration,
        client(seeded_url, "reader", True) as reader,
    ):  # fmt: skip
        report.execute("SELECT count(*) FROM follows")
        threads = [in_background(migration, b"ALTER TABLE follows ADD COLUMN note text", outcomes)]
        eventually(lambda: waiting(db_clients) == {"migration"}, "the migration waits for the read")
        threads.append(in_background(reader, b"SELECT count(*) FROM follows", outcomes))
        eventually(lambda: waiting(db_clients) == {"migration", "reader"}, "a reader waits for the migration")
        assert metrics(seeded_url)["db_lock_waiters"] == 1
        assert 0 < metrics(seeded_url)["db_lock_wait_oldest_seconds"] < 60
        ended = database.cancel(db_clients, ddl=True, reason="readers wait")
        assert [(session.application, outcome) for session, outcome in ended] == [("migration", "cancelled")]
        for thread in threads:
            thread.join(20)
        assert outcomes == {"migration": "cancelled", "reader": "done"}
        report.execute("SELECT 1")
    row = list(pager.rows.values())[-1]
    assert (row["action"], row["outcome"], row["reason"]) == ("db cancel", "done", "readers wait")
    assert row["old"][0]["query"].startswith("ALTER TABLE follows")
    assert metrics(seeded_url)["db_lock_waiters"] == 0


def test_an_abandoned_transaction_is_rolled_back_and_the_blocked_writer_continues(
    db_clients: LabClients, seeded_url: str
) -> None:
    outcomes: dict[str, str] = {}
    with client(seeded_url, "backfill") as backfill, client(seeded_url, "writer", True) as writer:
        backfill.execute("UPDATE users SET bio = 'lost' WHERE id = 7")
        thread = in_background(writer, b"UPDATE users SET bio = 'kept' WHERE id = 7", outcomes)
        eventually(lambda: waiting(db_clients) == {"writer"}, "the writer waits")
        assert metrics(seeded_url)["db_idle_in_transaction_sessions"] == 1
        with pytest.raises(LabError, match="no session matches"):
            database.cancel(db_clients, idle=True, older_than_seconds=3600)
        ended = database.cancel(db_clients, idle=True, older_than_seconds=0)
        assert [(session.application, outcome) for session, outcome in ended] == [("backfill", "terminated")]
        thread.join(20)
        assert outcomes == {"writer": "done"}
        assert writer.execute("SELECT bio FROM users WHERE id = 7").fetchone() == ("kept",)
    with pytest.raises(UsageError, match="no client session has pid 1;"):
        database.cancel(db_clients, [1])


def test_a_dropped_index_is_reported_and_rebuilt(db_clients: LabClients, seeded_url: str, pager: FakePager) -> None:
    with psycopg.connect(seeded_url, autocommit=True) as connection:
        connection.execute(f"DROP INDEX {INDEX}".encode())
        exists = {index.name: index.found for index in database.indexes(db_clients)}
        assert (exists[INDEX], exists["users_handle_idx"]) == (False, True)
        indexes = next(family for family in families(take_sample(connection)) if family.name == "db_index_valid")
        assert {sample.labels["index"]: sample.value for sample in indexes.samples}[INDEX] == 0
        (rebuilt,) = database.create_index(db_clients, None)
        assert (rebuilt.name, rebuilt.valid) == (INDEX, True)
        assert rebuilt.size_bytes > 1 << 20
    assert (list(pager.rows.values())[-1]["old"], list(pager.rows.values())[-1]["new"]) == ("missing", "valid")
    with pytest.raises(LabError, match="nothing was done"):
        database.create_index(db_clients, INDEX)
    with pytest.raises(UsageError, match=r"no index 'nope'; the indexes are follows_followee_idx"):
        database.create_index(db_clients, "nope")


def test_an_index_of_an_interrupted_build_is_dropped_and_rebuilt(db_clients: LabClients, seeded_url: str) -> None:
    with psycopg.connect(seeded_url, autocommit=True) as connection:
        connection.execute(f"DROP INDEX {INDEX}".encode())
        connection.execute("SET statement_timeout = '1ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute(f"CREATE INDEX CONCURRENTLY {INDEX} ON posts (author_id, created_at DESC)".encode())
    (rebuilt,) = database.create_index(db_clients, INDEX)
    assert rebuilt.valid


def test_an_unreachable_database_is_a_clear_error(clients: LabClients) -> None:
    with pytest.raises(NotRunning, match=r"the database does not answer.*fleetops status"):
        database.activity(clients)
