"""A feed service in this process with real PostgreSQL and Valkey and a fake user service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from services_support import MakeTelemetry, cache, database
from support import free_port

from lab.services.cache import Cache
from lab.services.feed.app import create_app
from lab.services.feed.canary import CanaryPages
from lab.services.feed.hot_feeds import HotFeeds
from lab.services.feed.page_cache import PageCache
from lab.services.feed.profiles import Profiles
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
    """The URL of a fake user service with the users 1 to 20,000."""
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
        db, feed_cache = database(seeded_url, telemetry), cache(valkey_url, telemetry, "feed", 60)
        closing.extend([db, feed_cache])
        cache_client = feed_cache.__enter__()
        upstream = Upstream("user", [users_url], 0.5, ClientMetrics(telemetry.registry))
        page_cache = PageCache(cache_client, telemetry.registry)
        app = create_app(telemetry, pages(db.__enter__(), page_cache, profiles or Profiles(upstream)), HotFeeds())
        return Feed(
            telemetry,
            cache_client,
            lambda user_id, baggage="", **headers: app.test_client().get(
                f"/v1/feed/{user_id}", headers={"baggage": baggage, **headers}
            ),
        )

    yield make
    for resource in closing:
        resource.__exit__(None, None, None)
