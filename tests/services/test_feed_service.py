"""Both versions give the same feed; one of them asks the DB a hundred times for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import valkey
from flask import Flask
from services_support import MakeTelemetry, cache, database, operations
from support import eventually, free_port
from werkzeug.exceptions import ServiceUnavailable

from lab.services.cache import Cache
from lab.services.feed import ranking
from lab.services.feed.app import create_app
from lab.services.feed.canary import CanaryPages
from lab.services.feed.page_cache import PageCache
from lab.services.feed.popular import Popular
from lab.services.feed.profiles import Profiles
from lab.services.feed.ranking import PAGE_ITEMS
from lab.services.feed.stable import StablePages
from lab.services.upstream import ClientMetrics, Upstream
from lab.telemetry.process import Telemetry
from lab.telemetry.server import Server
from lab.telemetry.settings import Address


@dataclass
class Feed:
    telemetry: Telemetry
    cache: Cache
    get: Callable[..., Any]

    def misses(self) -> float:
        return (
            self.telemetry.registry.get_sample_value("cache_requests_total", {"cache": "feed", "result": "miss"}) or 0
        )


@pytest.fixture
def users() -> Iterator[str]:
    """A user service that knows everyone up to 20,000 and counts nobody."""
    app = Flask("users")

    @app.get("/v1/users/<int:user_id>")
    def user(user_id: int) -> tuple[dict[str, Any], int]:
        if user_id > 20_000:
            return {"error": "no such user"}, 404
        return {"id": user_id, "handle": f"h{user_id}", "display_name": f"N{user_id}", "bio": ""}, 200

    address = Address("127.0.0.1", free_port())
    server = Server(app, address, threads=2)
    server.run_in_thread("users")
    yield f"http://{address}"
    server.drain(1)


MakeFeed = Callable[..., Feed]


@pytest.fixture
def make_feed(make_telemetry: MakeTelemetry, seeded_url: str, valkey_url: str, users: str) -> Iterator[MakeFeed]:
    closing = []

    def make(
        pages: type[StablePages] | type[CanaryPages], users_url: str = users, profiles: Profiles | None = None
    ) -> Feed:
        telemetry = make_telemetry("feed", "1.0.0" if pages is StablePages else "1.1.0")
        db, kept = database(seeded_url, telemetry), cache(valkey_url, telemetry, "feed", 60)
        closing.extend([db, kept])
        cache_client = kept.__enter__()
        upstream = Upstream("user", [users_url], 0.5, ClientMetrics(telemetry.registry))
        page_cache = PageCache(cache_client, telemetry.registry)
        app = create_app(telemetry, pages(db.__enter__(), page_cache, profiles or Profiles(upstream)), Popular())
        return Feed(
            telemetry,
            cache_client,
            lambda user_id, baggage="": app.test_client().get(f"/v1/feed/{user_id}", headers={"baggage": baggage}),
        )

    yield make
    for one in closing:
        one.__exit__(None, None, None)


def test_a_cached_page_of_the_stable_version_asks_the_db_nothing(make_feed: MakeFeed) -> None:
    feed = make_feed(StablePages)
    feed.cache.delete("feed:1.0:201")
    first = feed.get(201)
    assert operations(feed.telemetry) == 2, "one query ranks, one hydrates"
    second = feed.get(201)
    assert operations(feed.telemetry) == 2
    assert (first.status_code, first.data) == (200, second.data)
    assert feed.misses() == 1


def test_a_cached_page_of_the_canary_asks_the_db_three_times_an_item(make_feed: MakeFeed, seeded_url: str) -> None:
    """The DB itself counts them: every statement is a transaction of its own."""
    feed = make_feed(CanaryPages)
    feed.get(202)
    before = operations(feed.telemetry)
    assert feed.get(202).status_code == 200
    assert operations(feed.telemetry) - before == 3 * PAGE_ITEMS
    assert feed.misses() <= 1

    def committed() -> int:
        with psycopg.connect(seeded_url) as connection:
            row = connection.execute(
                "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
            ).fetchone()
        assert row is not None
        return int(row[0])

    counted = committed()
    feed.get(202)
    eventually(lambda: committed() - counted >= 3 * PAGE_ITEMS, "the DB has counted a transaction a query")


def test_both_versions_show_the_same_items(make_feed: MakeFeed) -> None:
    stable, canary = make_feed(StablePages).get(203).json, make_feed(CanaryPages).get(203).json
    assert stable == canary
    assert len(stable["items"]) == PAGE_ITEMS
    assert stable["viewer"] == {"handle": "h203", "display_name": "N203"}
    assert set(stable["items"][0]) == {"id", "body", "like_count", "created_at", "author", "following"}


def test_the_canary_starts_warm_with_the_pages_that_stable_cached(make_feed: MakeFeed) -> None:
    """So what a new version costs is its own doing, not a cold cache."""
    stable, canary = make_feed(StablePages), make_feed(CanaryPages)
    stable.cache.delete("feed:1.0:204")
    stable.get(204)
    canary.get(204)
    assert (stable.misses(), canary.misses()) == (1, 0)


def test_the_feed_is_dear_without_the_cache(seeded_url: str, make_feed: MakeFeed) -> None:
    """The ranking reads thousands of rows: the plan says so, whatever this machine's speed."""
    values = {
        "viewer": 205,
        "candidates": ranking.CANDIDATE_AUTHORS,
        "posts_each": ranking.POSTS_EACH,
        "page": PAGE_ITEMS,
    }
    with psycopg.connect(seeded_url) as connection:
        row = connection.execute(b"EXPLAIN (ANALYZE, FORMAT JSON) " + ranking._RANKING, values).fetchone()
    assert row is not None

    def rows(node: dict[str, Any]) -> float:
        return node["Actual Rows"] * node["Actual Loops"] + sum(rows(child) for child in node.get("Plans", []))

    assert rows(row[0][0]["Plan"]) > 5_000
    assert make_feed(StablePages).get(205).status_code == 200


@pytest.mark.parametrize("pages", [StablePages, CanaryPages])
@pytest.mark.parametrize("user_id", [0, 20_001, 2**31, 10**30])
def test_nobody_has_no_feed(make_feed: MakeFeed, pages: type[StablePages] | type[CanaryPages], user_id: int) -> None:
    assert make_feed(pages).get(user_id).status_code == 404


@pytest.mark.parametrize("pages", [StablePages, CanaryPages])
def test_without_the_user_service_there_is_a_feed_without_its_viewer(
    make_feed: MakeFeed, pages: type[StablePages] | type[CanaryPages]
) -> None:
    feed = make_feed(pages, f"http://127.0.0.1:{free_port()}")
    for version in ("1.0", "1.1"):
        feed.cache.delete(f"feed:{version}:206")
    answer = feed.get(206)
    assert (answer.status_code, answer.json["viewer"], len(answer.json["items"])) == (200, None, PAGE_ITEMS)


def test_the_canary_serves_many_at_once(make_feed: MakeFeed) -> None:
    """Requests share the pool's few connections without mixing answers."""
    feed = make_feed(CanaryPages)
    answers: dict[int, Any] = {}

    def ask(user_id: int) -> None:
        answers[user_id] = feed.get(user_id)

    callers = [threading.Thread(target=ask, args=(user_id,)) for user_id in range(211, 215)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert {user_id: answer.json["user_id"] for user_id, answer in answers.items()} == {n: n for n in range(211, 215)}


class Gate(Profiles):
    """Holds every request for a profile until the test lets go, and counts them: how many make a page at once."""

    def __init__(self) -> None:
        self.held = 0
        self.let_go = threading.Event()
        self._lock = threading.Lock()

    def brief(self, user_id: int) -> dict[str, Any] | None:
        with self._lock:
            self.held += 1
        self.let_go.wait(10)
        return {"handle": f"h{user_id}", "display_name": "N"}


@pytest.mark.parametrize(("baggage", "made"), [("", 6), ("feed.single_flight=1", 1)])
def test_a_crowd_that_misses_makes_the_page_once_with_single_flight_and_each_its_own_without(
    make_feed: MakeFeed, baggage: str, made: int
) -> None:
    gate = Gate()
    feed = make_feed(StablePages, profiles=gate)
    feed.cache.delete("feed:1.0:221")
    answers: list[Any] = []
    crowd = [threading.Thread(target=lambda: answers.append(feed.get(221, baggage))) for _ in range(6)]
    for one in crowd:
        one.start()
    coalesced = "cache_coalesced_requests_total"

    def settled() -> bool:
        waiting = feed.telemetry.registry.get_sample_value(coalesced, {"cache": "feed"}) or 0
        return gate.held + waiting == 6

    eventually(settled, "all six are under way")
    gate.let_go.set()
    for one in crowd:
        one.join(20)
    assert gate.held == made
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.data for answer in answers}) == 1
    assert operations(feed.telemetry) == 2 * made


def test_who_waits_for_a_page_that_fails_is_told_so_too_and_the_next_one_tries_again(
    make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    feed = make_feed(StablePages, profiles=gate)
    feed.cache.delete("feed:1.0:222")

    def fail(*_: Any) -> Any:
        raise ServiceUnavailable("no DB connection became free in time", retry_after=1)

    monkeypatch.setattr("lab.services.feed.stable.rank", fail)
    answers: list[Any] = []
    crowd = [threading.Thread(target=lambda: answers.append(feed.get(222, "feed.single_flight=1"))) for _ in range(3)]
    for one in crowd:
        one.start()
    counted = ("cache_coalesced_requests_total", {"cache": "feed"})
    eventually(lambda: feed.telemetry.registry.get_sample_value(*counted) == 2, "two wait for the first")
    gate.let_go.set()
    for one in crowd:
        one.join(20)
    assert [answer.status_code for answer in answers] == [503] * 3
    monkeypatch.undo()
    assert feed.get(222, "feed.single_flight=1").status_code == 200


def test_a_page_past_its_time_is_served_stale_at_once_and_made_anew_behind_it(make_feed: MakeFeed) -> None:
    feed = make_feed(StablePages)
    feed.cache.put("feed:1.0:223", b'{"old": true}', ttl_seconds=0.001)
    stale = feed.get(223, "feed.serve_stale=1")
    assert stale.json == {"old": True}
    eventually(lambda: feed.get(223, "feed.serve_stale=1").json.get("user_id") == 223, "the page was made anew")
    value = feed.telemetry.registry.get_sample_value
    assert value("cache_refreshes_total", {"cache": "feed", "result": "done"}) == 1
    assert (value("cache_requests_total", {"cache": "feed", "result": "stale"}) or 0) >= 1


def test_a_page_past_its_time_is_a_miss_unless_stale_ones_are_asked_for(make_feed: MakeFeed) -> None:
    feed = make_feed(StablePages)
    feed.cache.put("feed:1.0:224", b'{"old": true}', ttl_seconds=0.001)
    eventually(lambda: feed.get(224).json.get("user_id") == 224, "it is made anew")
    assert feed.misses() == 1


def test_stale_pages_are_served_while_the_db_refuses(make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = make_feed(StablePages)
    feed.cache.put("feed:1.0:225", b'{"old": true}', ttl_seconds=0.001)

    def fail(*_: Any) -> Any:
        raise ServiceUnavailable("the DB failed")

    monkeypatch.setattr("lab.services.feed.stable.rank", fail)
    failed = ("cache_refreshes_total", {"cache": "feed", "result": "failed"})
    for _ in range(3):
        assert feed.get(225, "feed.serve_stale=1").json == {"old": True}
    eventually(lambda: (feed.telemetry.registry.get_sample_value(*failed) or 0) >= 1, "a refresh failed")


def test_the_degraded_feed_asks_the_user_service_nothing(make_feed: MakeFeed) -> None:
    gate = Gate()
    feed = make_feed(StablePages, profiles=gate)
    feed.cache.delete("feed:1.0:226")
    answer = feed.get(226, "feed.profiles=0")
    assert (answer.status_code, answer.json["viewer"], len(answer.json["items"])) == (200, None, PAGE_ITEMS)
    assert gate.held == 0


def test_a_page_lives_as_long_as_the_edge_says(make_feed: MakeFeed, valkey_url: str) -> None:
    feed = make_feed(StablePages)
    feed.cache.delete("feed:1.0:227")
    feed.get(227, "feed.ttl_seconds=1000")
    with valkey.Valkey.from_url(valkey_url) as client:
        left = client.ttl("feed:1.0:227")
    assert 0.8 * 1000 <= left <= 1.2 * 1000 + 61, "the spread of a fifth, and the minute it is kept stale here"


def test_a_page_that_is_gone_before_its_time_is_counted_and_one_whose_time_was_up_or_that_never_was_is_not(
    make_feed: MakeFeed,
) -> None:
    feed = make_feed(StablePages)

    def lost() -> float | None:
        return feed.telemetry.registry.get_sample_value("cache_lost_entries_total", {"cache": "feed"})

    for viewer in (228, 229):
        feed.cache.delete(f"feed:1.0:{viewer}")
    feed.get(228)
    feed.get(229, "feed.ttl_seconds=1")
    assert lost() == 0, "never asked for before"
    eventually(lambda: feed.cache.get("feed:1.0:229") is None, "its time is up")
    feed.get(229)
    assert lost() == 0
    feed.cache.delete("feed:1.0:228")
    feed.get(228)
    feed.get(228)
    assert lost() == 1
