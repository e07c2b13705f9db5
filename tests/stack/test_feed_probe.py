"""The probe knows the right feed, and tells a wrong one from one that did not come and from one that has changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from fakes import JsonServer

from lab.stack.exporter.feedprobe import VIEWERS, FeedProbe, Truth
from lab.telemetry.metrics import CollectorRegistry

VIEWER, OTHER = 101, 2503


class Gateway:
    """Answers every feed with `page`, or with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.page: dict[str, Any] = {}
        self.asked: list[tuple[str, str, Any]] = []

    def __call__(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        self.asked.append((method, path, body))
        return self.status, self.page


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def truth(seeded_url: str) -> Truth:
    return Truth(seeded_url, CollectorRegistry())


@pytest.fixture
def probe(gateway: Gateway, truth: Truth) -> Iterator[FeedProbe]:
    server = JsonServer(gateway)
    yield FeedProbe(server.url, truth, CollectorRegistry())
    server.close()


def page(viewer: int, items: list[tuple[int, int]] | None) -> dict[str, Any]:
    return {"user_id": viewer, "items": [{"id": post, "author": {"id": author}} for post, author in items or []]}


def test_a_right_feed_matches_and_no_answer_is_no_wrong_one(probe: FeedProbe, gateway: Gateway, truth: Truth) -> None:
    gateway.page = page(VIEWER, truth.items(VIEWER))
    assert len(gateway.page["items"]) == 16
    assert probe.probe(VIEWER) == "match"
    gateway.status = 503
    assert probe.probe(VIEWER) == "unanswered"


@pytest.mark.parametrize("wrong", ["another viewer's", "one post's author", "order", "empty", "no feed"])
def test_a_wrong_feed_is_told(probe: FeedProbe, gateway: Gateway, truth: Truth, wrong: str) -> None:
    items = list(truth.items(VIEWER) or [])
    gateway.page = {
        "another viewer's": page(VIEWER, truth.items(OTHER)),
        "one post's author": page(VIEWER, [(items[0][0], items[0][1] + 1), *items[1:]]),
        "order": page(VIEWER, items[::-1]),
        "empty": page(VIEWER, []),
        "no feed": {"error": "odd"},
    }[wrong]
    assert probe.probe(VIEWER) == "mismatch"


def test_a_feed_that_follows_a_change_of_the_db_is_right(
    probe: FeedProbe, gateway: Gateway, truth: Truth, seeded_url: str
) -> None:
    """The probe remembers the truth for a minute; before it calls a page wrong it asks again."""
    before = truth.items(VIEWER) or []
    last = before[-1][0]
    with psycopg.connect(seeded_url, autocommit=True) as connection:
        (likes,) = connection.execute("SELECT like_count FROM posts WHERE id = %s", [last]).fetchone() or (0,)
        connection.execute("UPDATE posts SET like_count = 100000000 WHERE id = %s", [last])
        try:
            gateway.page = page(VIEWER, Truth(seeded_url, CollectorRegistry()).items(VIEWER))
            assert gateway.page["items"][0]["id"] == last
            assert probe.probe(VIEWER) == "match"
            gateway.page = page(VIEWER, before)
            assert probe.probe(VIEWER) == "mismatch"
        finally:
            connection.execute("UPDATE posts SET like_count = %s WHERE id = %s", [likes, last])


def test_the_probe_has_an_author_with_followers_and_edits_the_profile_to_what_it_is(
    probe: FeedProbe, gateway: Gateway, truth: Truth
) -> None:
    author, name, viewers = truth.accounts() or (0, "", [])
    assert len(set(viewers)) == VIEWERS
    probe.edit(author, name)
    assert gateway.asked == [("PUT", f"/v1/users/{author}", {"display_name": name})]


def test_without_the_db_nothing_is_called_wrong(gateway: Gateway) -> None:
    server = JsonServer(gateway)
    registry = CollectorRegistry()
    blind = FeedProbe(server.url, Truth("postgresql://nobody@127.0.0.1:9/none", registry), registry)
    assert blind.probe(VIEWER) == ""
    server.close()
