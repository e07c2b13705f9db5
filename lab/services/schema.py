"""Creates and seeds the database: `python -m lab.services.schema`. Idempotent.

Tables, rows and indexes are created in one transaction behind an advisory lock: an interrupted run leaves nothing, and
two concurrent runs create one schema. 20,000 users, 400,000 posts, over 400,000 follows.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lab import names
from lab.errors import LabError
from lab.telemetry.process import program
from lab.telemetry.settings import Environment

_HERE = Path(__file__).parent
_LOCK = 0x666C656574  # an arbitrary constant, the same in every run


def create(url: str) -> str:
    """Creates the schema in the database at `url` unless it exists. Returns a one-line summary.

    Raises LabError when the database is unreachable or reports an error.
    """
    try:
        _create_database(url)
        with psycopg.connect(url, autocommit=True) as connection:
            started = time.monotonic()
            if not _seed(connection):
                return "schema: already exists"
            # Sets the visibility map, which the ranking query needs for index-only scans.
            connection.execute("VACUUM (ANALYZE)")
            counts = connection.execute(
                "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM posts), (SELECT count(*) FROM follows)"
            ).fetchone() or (0, 0, 0)
            seconds = time.monotonic() - started
            return f"schema: created {counts[0]} users, {counts[1]} posts, {counts[2]} follows in {seconds:.1f} s"
    except psycopg.Error as problem:
        reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise LabError(
            f"schema: database error: {reason}; check that it is running and that {names.ENV_DATABASE_URL} is correct"
        ) from None


def _create_database(url: str) -> None:
    name = str(conninfo_to_dict(url).get("dbname") or "postgres")
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError as problem:
        if f'database "{name}" does not exist' not in str(problem):
            raise
        # A concurrent run may create it first: PostgreSQL then raises either of these two errors.
        already_exists = suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation)
        with already_exists, psycopg.connect(make_conninfo(url, dbname="postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _seed(connection: psycopg.Connection) -> bool:
    """True if the schema was created, False if it existed."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        exists = connection.execute("SELECT to_regclass('public.follows') IS NOT NULL").fetchone()
        if exists and exists[0]:
            return False
        connection.execute("SET LOCAL work_mem = '64MB'; SET LOCAL maintenance_work_mem = '64MB'; SET LOCAL jit = off")
        for file in ("schema.sql", "seed.sql"):
            connection.execute((_HERE / file).read_bytes())
        return True


def main() -> None:
    """Reads FLEETOPS_DATABASE_URL, creates the schema, and prints a one-line summary."""
    url = Environment().text(names.ENV_DATABASE_URL, example="postgresql://postgres@127.0.0.1:8094/fleetops")
    sys.stdout.write(create(url) + "\n")


if __name__ == "__main__":
    program(main)
