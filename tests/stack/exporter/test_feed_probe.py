"""The feed probe distinguishes a wrong feed from a missing one and from one that has just changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from fakes import JsonServer

from lab.stack.exporter.feedprobe import VIEWERS, ExpectedFeeds, FeedProbe
from lab.telemetry.metrics import CollectorRegistry

VIEWER, OTHER = 101, 2503


class Gateway:
    """Answers every request with `status` and `page`."""

    def __init__(self) -> None:
        self.status = 200
        self.page: dict[str, Any] = {}
        self.requests: list[tuple[str, str, Any]] = []

    def __call__(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        self.requests.append((method, path, body))
        return self.status, self.page


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def expected(seeded_url: str) -> ExpectedFeeds:
    return ExpectedFeeds(seeded_url, CollectorRegistry())


@pytest.fixture
def probe(gateway: Gateway, expected: ExpectedFeeds) -> Iterator[FeedProbe]:
    server = JsonServer(gateway)
    yield FeedProbe(server.url, expected, CollectorRegistry())
    server.close()


def page(viewer: int, items: list[tuple[int, int]] | None) -> dict[str, Any]:
    return {"user_id": viewer, "items": [{"id": post, "author": {"id": author}} for post, author in items or []]}


def test_a_correct_feed_matches_and_a_failed_request_is_unanswered(
    probe: FeedProbe, gateway: Gateway, expected: ExpectedFeeds
) -> None:
    gateway.page = page(VIEWER, expected.items(VIEWER))
    assert len(gateway.page["items"]) == 16
    assert probe.probe(VIEWER) == "match"
    gateway.status = 503
    assert probe.probe(VIEWER) == "unanswered"


@pytest.mark.parametrize("wrong", ["another viewer's", "one post's author", "order", "empty", "no feed"])
def test_a_wrong_feed_is_a_mismatch(probe: FeedProbe, gateway: Gateway, expected: ExpectedFeeds, wrong: str) -> None:
    items = list(expected.items(VIEWER) or [])
    gateway.page = {
        "another viewer's": page(VIEWER, expected.items(OTHER)),
        "one post's author": page(VIEWER, [(items[0][0], items[0][1] + 1), *items[1:]]),
        "order": page(VIEWER, items[::-1]),
        "empty": page(VIEWER, []),
        "no feed": {"error": "odd"},
    }[wrong]
    assert probe.probe(VIEWER) == "mismatch"


def test_a_feed_that_follows_a_change_in_the_database_matches(
    probe: FeedProbe, gateway: Gateway, expected: ExpectedFeeds, seeded_url: str
) -> None:
    """The probe caches the expected feed for a minute; it queries again before it reports a mismatch."""
    before = expected.items(VIEWER) or []
    last = before[-1][0]
    with psycopg.connect(seeded_url, autocommit=True) as connection:
        (likes,) = connection.execute("SELECT like_count FROM posts WHERE id = %s", [last]).fetchone() or (0,)
        connection.execute("UPDATE posts SET like_count = 100000000 WHERE id = %s", [last])
        try:
            gateway.page = page(VIEWER, ExpectedFeeds(seeded_url, CollectorRegistry()).items(VIEWER))
            assert gateway.page["items"][0]["id"] == last
            assert probe.probe(VIEWER) == "match"
            gateway.page = page(VIEWER, before)
            assert probe.probe(VIEWER) == "mismatch"
        finally:
            connection.execute("UPDATE posts SET like_count = %s WHERE id = %s", [likes, last])


def test_the_probe_has_an_author_with_followers_and_writes_the_profile_unchanged(
    probe: FeedProbe, gateway: Gateway, expected: ExpectedFeeds
) -> None:
    author, name, viewers = expected.accounts() or (0, "", [])
    assert len(set(viewers)) == VIEWERS
    probe.edit(author, name)
    assert gateway.requests == [("PUT", f"/v1/users/{author}", {"display_name": name})]


def test_without_the_database_there_is_no_result(gateway: Gateway) -> None:
    server = JsonServer(gateway)
    registry = CollectorRegistry()
    probe = FeedProbe(server.url, ExpectedFeeds("postgresql://nobody@127.0.0.1:9/none", registry), registry)
    assert probe.probe(VIEWER) == ""
    server.close()
