"""Profiles are read through the cache, written to the database, and never stale after a write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from flask.testing import FlaskClient
from services_support import MakeTelemetry, cache, database, operations
from support import free_port

from lab.services.cache import Cache
from lab.services.user import Profiles, create_app
from lab.telemetry.process import Telemetry


@dataclass
class Service:
    client: FlaskClient
    telemetry: Telemetry
    cache: Cache
    url: str

    def stored(self, user_id: int) -> tuple[str, str]:
        with psycopg.connect(self.url) as connection:
            row = connection.execute("SELECT display_name, bio FROM users WHERE id = %s", [user_id]).fetchone()
        assert row is not None
        return row[0], row[1]


@pytest.fixture
def service(make_telemetry: MakeTelemetry, seeded_url: str, valkey_url: str) -> Iterator[Service]:
    telemetry = make_telemetry("user")
    with database(seeded_url, telemetry) as db, cache(valkey_url, telemetry, "user") as client:
        yield Service(create_app(telemetry, Profiles(db, client)).test_client(), telemetry, client, seeded_url)


def test_the_second_read_needs_no_query(service: Service) -> None:
    service.cache.delete("user:1:101")
    first = service.client.get("/v1/users/101")
    after_first = operations(service.telemetry)
    second = service.client.get("/v1/users/101")
    assert (first.status_code, first.json) == (200, second.json)
    assert operations(service.telemetry) == after_first == 1


def test_a_write_is_durable_when_acknowledged_and_visible_immediately(service: Service) -> None:
    service.client.get("/v1/users/102")
    answer = service.client.put("/v1/users/102", json={"display_name": "Ann Ö", "bio": "two\nlines 🚲"})
    assert answer.status_code == 200
    assert service.stored(102) == ("Ann Ö", "two\nlines 🚲")
    assert service.client.get("/v1/users/102").json == answer.json


def test_a_write_of_one_field_leaves_the_other(service: Service) -> None:
    before = service.stored(103)
    service.client.put("/v1/users/103", json={"bio": ""})
    assert service.stored(103) == (before[0], "")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "JSON object"),
        (b'"x"', "JSON object"),
        (b"{}", "display_name"),
        (b'{"name": "x"}', "name"),
        (b'{"bio": 3}', "bio"),
        (b'{"bio": null}', "bio"),
        (b'{"bio": "a\\u0000b"}', "bio"),
        (b'{"bio": "\\ud800"}', "surrogate"),
        (b"[" * 8000, "nested"),
        (b'{"display_name": "  "}', "display_name"),
        (b'{"display_name": "' + b"x" * 81 + b'"}', "display_name"),
        (b'{"bio": "' + b"x" * 281 + b'"}', "bio"),
        (b'{"bio": "fine", "display_name": ""}', "display_name"),
    ],
)
def test_an_invalid_write_is_answered_400_with_the_field_and_changes_nothing(
    service: Service, body: bytes, named: str
) -> None:
    before = service.stored(104)
    answer = service.client.put("/v1/users/104", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json is not None
    assert named in answer.json["error"]
    assert service.stored(104) == before


def test_a_body_that_is_too_large_is_413(service: Service) -> None:
    answer = service.client.put("/v1/users/104", data=b" " * 20_000, content_type="application/json")
    assert answer.status_code in {400, 413}


@pytest.mark.parametrize("user_id", ["0", "20001", "99999999999", "9" * 40])
def test_an_unknown_user_is_404_for_reads_and_writes(service: Service, user_id: str) -> None:
    assert service.client.get(f"/v1/users/{user_id}").status_code == 404
    assert service.client.put(f"/v1/users/{user_id}", json={"bio": "x"}).status_code == 404


def test_without_the_cache_reads_and_writes_still_work(make_telemetry: MakeTelemetry, seeded_url: str) -> None:
    telemetry = make_telemetry("user")
    with database(seeded_url, telemetry) as db, cache(f"valkey://127.0.0.1:{free_port()}/0", telemetry, "user") as kept:
        client = create_app(telemetry, Profiles(db, kept)).test_client()
        assert client.get("/v1/users/105").status_code == 200
        assert client.put("/v1/users/105", json={"bio": "no cache"}).status_code == 200
    errors = telemetry.registry.get_sample_value("cache_requests_total", {"cache": "user", "result": "error"})
    assert errors == 1


def test_without_the_database_the_response_is_503_with_retry_after(
    make_telemetry: MakeTelemetry, valkey_url: str
) -> None:
    telemetry = make_telemetry("user")
    with (
        database(f"postgresql://x@127.0.0.1:{free_port()}/x", telemetry) as db,
        cache(valkey_url, telemetry, "user") as kept,
    ):
        answer = create_app(telemetry, Profiles(db, kept)).test_client().get("/v1/users/106")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


def test_an_exhausted_pool_is_503_and_visible_in_metrics(
    make_telemetry: MakeTelemetry, seeded_url: str, valkey_url: str
) -> None:
    telemetry = make_telemetry("user")
    with database(seeded_url, telemetry, pool_max=1) as db, cache(valkey_url, telemetry, "user") as kept:
        kept.delete("user:1:107")
        client = create_app(telemetry, Profiles(db, kept)).test_client()
        with db._pool.connection():
            assert telemetry.registry.get_sample_value("db_client_connection_count", {"state": "used"}) == 1
            assert client.get("/v1/users/107").status_code == 503
        assert client.get("/v1/users/107").status_code == 200
    assert telemetry.registry.get_sample_value("db_client_connection_max") == 1


def test_a_broken_idle_connection_does_not_affect_readiness(make_telemetry: MakeTelemetry, seeded_url: str) -> None:
    telemetry = make_telemetry("user")
    with database(seeded_url, telemetry, pool_max=1) as db:
        db.ping()
        with psycopg.connect(seeded_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test'")
        db.ping()
