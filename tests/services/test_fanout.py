"""The fan-out writer updates the cached feeds of followers; its version 1.1.0 mixes feeds up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import valkey
from services_support import MakeTelemetry, cache, database
from support import eventually

from lab.control import feed_integrity
from lab.control.lab_clients import LabClients
from lab.services.fanout import BATCH, FanOut, feed_key
from lab.stack.backends import valkey as cache_server

FOLLOWERS = 12


class Followers:
    """Cached feeds of an author's followers, each with one item of that author."""

    def __init__(self, url: str, cache_url: str) -> None:
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT followee_id, array_agg(follower_id) FROM follows GROUP BY 1 HAVING count(*) > %s LIMIT 1",
                [BATCH],
            ).fetchone()
        assert row is not None
        self.author, self.viewers = row[0], sorted(row[1])[-FOLLOWERS:]
        self.client = valkey.Valkey.from_url(cache_url)
        for viewer in self.viewers:
            items = [{"id": viewer, "author": {"id": self.author, "display_name": "Old"}}]
            page = json.dumps({"user_id": viewer, "items": items}, separators=(",", ":"))
            self.client.set(feed_key(viewer), page, px=60_000)

    def pages(self) -> list[Any]:
        return [json.loads(self.client.get(feed_key(viewer)) or b"{}") for viewer in self.viewers]  # type: ignore[arg-type]

    def names(self) -> set[str]:
        return {page["items"][0]["author"]["display_name"] for page in self.pages()}

    def owned(self) -> int:
        return sum(page["user_id"] == viewer for viewer, page in zip(self.viewers, self.pages(), strict=True))


@pytest.fixture
def followers(seeded_url: str, valkey_url: str) -> Iterator[Followers]:
    cached = Followers(seeded_url, valkey_url)
    yield cached
    cached.client.flushdb()
    cached.client.close()  # type: ignore[no-untyped-call]


@pytest.fixture
def fan_out(make_telemetry: MakeTelemetry, seeded_url: str, valkey_url: str) -> Iterator[Any]:
    started = []
    telemetry = make_telemetry("user")
    with database(seeded_url, telemetry) as db, cache(valkey_url, telemetry):

        def make(version: str) -> FanOut:
            writer = FanOut(db, valkey_url, version, telemetry.registry)
            writer.start()
            started.append(writer)
            return writer

        yield make
        for writer in started:
            writer.close()


def test_a_new_name_is_written_to_the_followers_feeds_without_changing_owner_or_expiry(
    fan_out: Any, followers: Followers
) -> None:
    writer = fan_out("1.0.0")
    writer.edited(followers.author, "Bio only", renamed=False)
    writer.edited(followers.author, "New", renamed=True)
    eventually(lambda: followers.names() == {"New"}, "the name is in every feed")
    assert followers.owned() == FOLLOWERS
    assert 0 < followers.client.pttl(feed_key(followers.viewers[0])) <= 60_000  # type: ignore[operator]


def test_version_1_1_0_mixes_feeds_up_and_reconcile_deletes_only_those(
    fan_out: Any, followers: Followers, clients: LabClients, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_server, "url", lambda _port: valkey_url)
    assert feed_integrity.foreign(clients) == (FOLLOWERS, [])
    fan_out("1.1.0").edited(followers.author, "Any edit", renamed=False)
    eventually(lambda: followers.owned() < FOLLOWERS, "feeds are mixed up")
    own = followers.owned()
    assert feed_integrity.reconcile(clients, "mixed up") == (FOLLOWERS, FOLLOWERS - own)
    assert feed_integrity.foreign(clients) == (own, [])


def test_off_writes_nothing_and_an_unreachable_cache_blocks_no_edit(
    make_telemetry: MakeTelemetry, fan_out: Any, followers: Followers, seeded_url: str
) -> None:
    fan_out("off").edited(followers.author, "New", renamed=True)
    assert followers.names() == {"Old"}
    telemetry = make_telemetry("user")
    with database(seeded_url, telemetry) as db:
        writer = FanOut(db, "valkey://127.0.0.1:9/0", "1.0.0", telemetry.registry)
        writer.start()
        writer.edited(followers.author, "New", renamed=True)
        failed = ("fanout_edits_total", {"result": "failed"})
        eventually(lambda: telemetry.registry.get_sample_value(*failed) == 1, "the failure is counted")
        writer.close()
