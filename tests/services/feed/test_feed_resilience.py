"""The feed service under cache stampedes, with expired entries, and with failed dependencies."""

from __future__ import annotations

import threading
from typing import Any
from unittest.mock import Mock

import pytest
import valkey
from feed_support import MakeFeed
from services_support import operations
from support import eventually
from werkzeug.exceptions import ServiceUnavailable

from lab.services.feed import page_cache
from lab.services.feed.profiles import Profiles, Viewer
from lab.services.feed.ranking import PAGE_ITEMS
from lab.services.feed.stable import StablePages
from lab.telemetry.metrics import CollectorRegistry


class Gate(Profiles):
    """Holds every request for a profile until `release` is set, and counts them: the number of concurrent builds."""

    def __init__(self) -> None:
        self.held = 0
        self.release = threading.Event()
        self._lock = threading.Lock()

    def brief(self, user_id: int) -> Viewer | None:
        with self._lock:
            self.held += 1
        self.release.wait(10)
        return {"handle": f"h{user_id}", "display_name": "N"}


@pytest.mark.parametrize(("baggage", "builds"), [("", 6), ("feed.single_flight=1", 1)])
def test_concurrent_misses_build_the_feed_once_with_single_flight_and_once_each_without(
    make_feed: MakeFeed, baggage: str, builds: int
) -> None:
    gate = Gate()
    feed = make_feed(StablePages, profiles=gate)
    feed.cache.delete("feed:1.0:221")
    answers: list[Any] = []
    crowd = [threading.Thread(target=lambda: answers.append(feed.get(221, baggage))) for _ in range(6)]
    for request in crowd:
        request.start()
    coalesced = "cache_coalesced_requests_total"

    def settled() -> bool:
        waiting = feed.telemetry.registry.get_sample_value(coalesced, {"cache": "feed"}) or 0
        return gate.held + waiting == 6

    eventually(settled, "all six are in progress")
    gate.release.set()
    for request in crowd:
        request.join(20)
    assert gate.held == builds
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.data for answer in answers}) == 1
    assert operations(feed.telemetry) == 2 * builds


def test_a_failed_build_fails_all_waiting_requests_and_the_next_request_builds_again(
    make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    feed = make_feed(StablePages, profiles=gate)
    feed.cache.delete("feed:1.0:222")

    def fail(*_: Any) -> Any:
        raise ServiceUnavailable("timed out waiting for a database connection", retry_after=1)

    monkeypatch.setattr("lab.services.feed.stable.rank", fail)
    answers: list[Any] = []
    crowd = [threading.Thread(target=lambda: answers.append(feed.get(222, "feed.single_flight=1"))) for _ in range(3)]
    for request in crowd:
        request.start()
    counted = ("cache_coalesced_requests_total", {"cache": "feed"})
    eventually(lambda: feed.telemetry.registry.get_sample_value(*counted) == 2, "two wait for the first")
    gate.release.set()
    for request in crowd:
        request.join(20)
    assert [answer.status_code for answer in answers] == [503] * 3
    monkeypatch.undo()
    assert feed.get(222, "feed.single_flight=1").status_code == 200


def test_an_expired_feed_is_served_stale_immediately_and_refreshed_in_the_background(make_feed: MakeFeed) -> None:
    feed = make_feed(StablePages)
    feed.cache.put("feed:1.0:223", b'{"old": true}', ttl_seconds=0.001)
    stale = feed.get(223, "feed.serve_stale=1")
    assert stale.json == {"old": True}
    eventually(lambda: feed.get(223, "feed.serve_stale=1").json.get("user_id") == 223, "the feed was rebuilt")
    value = feed.telemetry.registry.get_sample_value
    refreshed = ("cache_refreshes_total", {"cache": "feed", "result": "done"})
    eventually(lambda: value(*refreshed) == 1, "the refresh is counted after the feed is stored")
    assert (value("cache_requests_total", {"cache": "feed", "result": "stale"}) or 0) >= 1


def test_an_expired_feed_is_a_miss_unless_serve_stale_is_on(make_feed: MakeFeed) -> None:
    feed = make_feed(StablePages)
    feed.cache.put("feed:1.0:224", b'{"old": true}', ttl_seconds=0.001)
    eventually(lambda: feed.get(224).json.get("user_id") == 224, "it is rebuilt")
    assert feed.misses() == 1


def test_stale_feeds_are_served_while_the_database_fails(make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = make_feed(StablePages)
    feed.cache.put("feed:1.0:225", b'{"old": true}', ttl_seconds=0.001)

    def fail(*_: Any) -> Any:
        raise ServiceUnavailable("database error")

    monkeypatch.setattr("lab.services.feed.stable.rank", fail)
    failed = ("cache_refreshes_total", {"cache": "feed", "result": "failed"})
    for _ in range(3):
        assert feed.get(225, "feed.serve_stale=1").json == {"old": True}
    eventually(lambda: (feed.telemetry.registry.get_sample_value(*failed) or 0) >= 1, "a refresh failed")


def test_the_degraded_feed_does_not_call_the_user_service(make_feed: MakeFeed) -> None:
    gate = Gate()
    feed = make_feed(StablePages, profiles=gate)
    feed.cache.delete("feed:1.0:226")
    answer = feed.get(226, "feed.profiles=0")
    assert (answer.status_code, answer.json["viewer"], len(answer.json["items"])) == (200, None, PAGE_ITEMS)
    assert gate.held == 0


def test_the_gateway_sets_the_time_to_live_of_a_feed(make_feed: MakeFeed, valkey_url: str) -> None:
    feed = make_feed(StablePages)
    feed.cache.delete("feed:1.0:227")
    feed.get(227, "feed.ttl_seconds=1000")
    with valkey.Valkey.from_url(valkey_url) as client:
        left = client.ttl("feed:1.0:227")
    assert 0.8 * 1000 <= left <= 1.2 * 1000 + 61, "varied by a fifth, plus the minute that it is kept stale here"


def test_an_entry_lost_before_its_expiry_is_counted_and_expired_or_new_ones_are_not(
    make_feed: MakeFeed,
) -> None:
    feed = make_feed(StablePages)

    def lost() -> float | None:
        return feed.telemetry.registry.get_sample_value("cache_lost_entries_total", {"cache": "feed"})

    for viewer in (228, 229):
        feed.cache.delete(f"feed:1.0:{viewer}")
    feed.get(228)
    feed.get(229, "feed.ttl_seconds=1")
    assert lost() == 0, "never cached before"
    eventually(lambda: feed.cache.get("feed:1.0:229") is None, "it has expired")
    feed.get(229)
    assert lost() == 0
    feed.cache.delete("feed:1.0:228")
    feed.get(228)
    feed.get(228)
    assert lost() == 1


def test_expired_entries_are_no_longer_tracked(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(page_cache, "monotonic", lambda: now)
    pages = page_cache.PageCache(Mock(), CollectorRegistry())
    for viewer in range(100):
        now = viewer
        pages.put(f"feed:1.0:{viewer}", b"{}", ttl_seconds=10)
    assert set(pages._fresh_until) == {f"feed:1.0:{viewer}" for viewer in range(91, 100)}
    pages.close()
