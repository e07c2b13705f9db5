"""One command creates the data, atomically and idempotently."""

from __future__ import annotations

import threading

import psycopg
import pytest
from support import free_port

from lab.errors import LabError
from lab.services import schema


def scalar(url: str, query: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])


def test_the_data_is_large_enough_for_a_missing_index_to_matter(seeded_url: str) -> None:
    assert scalar(seeded_url, "SELECT count(*) FROM users") >= 20_000
    assert scalar(seeded_url, "SELECT count(*) FROM posts") >= 400_000
    assert scalar(seeded_url, "SELECT count(*) FROM follows") >= 400_000


def test_popularity_is_skewed(seeded_url: str) -> None:
    """The most followed user has at least fifty times the median's followers."""
    most = scalar(seeded_url, "SELECT count(*) FROM follows GROUP BY followee_id ORDER BY 1 DESC LIMIT 1")
    median = scalar(seeded_url, "SELECT count(*) FROM follows GROUP BY followee_id ORDER BY 1 OFFSET 10000 LIMIT 1")
    assert most >= 50 * median


def test_a_second_run_changes_nothing(seeded_url: str) -> None:
    before = scalar(seeded_url, "SELECT sum(n_tup_ins) FROM pg_stat_user_tables")
    assert schema.create(seeded_url) == "schema: already exists"
    assert scalar(seeded_url, "SELECT sum(n_tup_ins) FROM pg_stat_user_tables") == before


def test_two_concurrent_runs_create_one_schema_in_a_new_database(seeded_url: str) -> None:
    admin = seeded_url.replace("fleetops@", "postgres@")
    url = admin.replace("/fleetops?", "/second?")
    lines: list[str] = []
    runs = [threading.Thread(target=lambda: lines.append(schema.create(url))) for _ in range(2)]
    try:
        for run in runs:
            run.start()
        for run in runs:
            run.join(120)
        assert sorted(line[:15] for line in lines) == ["schema: already", "schema: created"]
        same = "SELECT sum(hashtext(follows::text)::bigint) FROM follows"
        assert scalar(url, same) == scalar(seeded_url, same), "the rows are the same every time"
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS second WITH (FORCE)")


def test_an_unreachable_database_gives_one_line() -> None:
    with pytest.raises(LabError, match="FLEETOPS_DATABASE_URL") as refused:
        schema.create(f"postgresql://x@127.0.0.1:{free_port()}/x")
    assert "\n" not in str(refused.value)
