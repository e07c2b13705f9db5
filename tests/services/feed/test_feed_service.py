"""Both versions return the same feed; the canary runs dozens of queries for it."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
from feed_support import MakeFeed
from services_support import operations
from support import eventually, free_port

from lab.services.feed import ranking
from lab.services.feed.canary import CanaryPages
from lab.services.feed.ranking import PAGE_ITEMS
from lab.services.feed.stable import StablePages


def test_a_cached_feed_of_the_stable_version_needs_no_query(make_feed: MakeFeed) -> None:
    feed = make_feed(StablePages)
    feed.cache.delete("feed:1.0:201")
    first = feed.get(201)
    assert operations(feed.telemetry) == 2, "one query ranks, one loads the items"
    second = feed.get(201)
    assert operations(feed.telemetry) == 2
    assert (first.status_code, first.data) == (200, second.data)
    assert feed.misses() == 1


def test_a_cached_feed_of_the_canary_needs_three_queries_per_item(make_feed: MakeFeed, seeded_url: str) -> None:
    """Counted by PostgreSQL itself: every statement is a separate transaction."""
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
    eventually(lambda: committed() - counted >= 3 * PAGE_ITEMS, "PostgreSQL has counted one transaction per query")


def test_both_versions_return_the_same_items(make_feed: MakeFeed) -> None:
    stable, canary = make_feed(StablePages).get(203).json, make_feed(CanaryPages).get(203).json
    assert stable == canary
    assert len(stable["items"]) == PAGE_ITEMS
    assert stable["viewer"] == {"handle": "h203", "display_name": "N203"}
    assert set(stable["items"][0]) == {"id", "body", "like_count", "created_at", "author", "following"}


def test_the_canary_uses_the_feeds_that_stable_cached(make_feed: MakeFeed) -> None:
    """So its latency comes from its own queries, not from a cold cache."""
    stable, canary = make_feed(StablePages), make_feed(CanaryPages)
    stable.cache.delete("feed:1.0:204")
    stable.get(204)
    canary.get(204)
    assert (stable.misses(), canary.misses()) == (1, 0)


def test_an_uncached_feed_is_expensive(seeded_url: str, make_feed: MakeFeed) -> None:
    """The ranking reads thousands of rows according to its plan, independently of the machine's speed."""
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
        return float(node["Actual Rows"] * node["Actual Loops"]) + sum(rows(child) for child in node.get("Plans", []))

    assert rows(row[0][0]["Plan"]) > 5_000
    assert make_feed(StablePages).get(205).status_code == 200


@pytest.mark.parametrize("pages", [StablePages, CanaryPages])
@pytest.mark.parametrize("user_id", [0, 20_001, 2**31, 10**30])
def test_an_unknown_user_has_no_feed(
    make_feed: MakeFeed, pages: type[StablePages] | type[CanaryPages], user_id: int
) -> None:
    assert make_feed(pages).get(user_id).status_code == 404


@pytest.mark.parametrize("pages", [StablePages, CanaryPages])
def test_without_the_user_service_the_feed_has_no_viewer_profile(
    make_feed: MakeFeed, pages: type[StablePages] | type[CanaryPages]
) -> None:
    feed = make_feed(pages, f"http://127.0.0.1:{free_port()}")
    for version in ("1.0", "1.1"):
        feed.cache.delete(f"feed:{version}:206")
    answer = feed.get(206)
    assert (answer.status_code, answer.json["viewer"], len(answer.json["items"])) == (200, None, PAGE_ITEMS)


def test_the_canary_serves_concurrent_requests(make_feed: MakeFeed) -> None:
    """Requests share the few connections of the pool without mixing up responses."""
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
