"""`python -m lab.services.feed`: serves one version of the feed until SIGTERM."""

from __future__ import annotations

from typing import NamedTuple

from lab import names
from lab.errors import UsageError
from lab.services.cache import Cache
from lab.services.db import Database
from lab.services.feed.app import add_admin_routes, create_app
from lab.services.feed.canary import CanaryPages
from lab.services.feed.hot_feeds import HotFeeds
from lab.services.feed.options import DEFAULT_TTL_SECONDS, MAX_TTL_SECONDS, MIN_TTL_SECONDS, FeedOptions
from lab.services.feed.page_cache import KEEP_STALE_SECONDS, PageCache
from lab.services.feed.profiles import Profiles
from lab.services.feed.stable import StablePages
from lab.services.upstream import ClientMetrics, Upstream
from lab.telemetry.process import Telemetry, is_config_check, program, run
from lab.telemetry.settings import Environment, Settings

USER_TIMEOUT_SECONDS = 0.5


class Version(NamedTuple):
    """The implementation of a version, and its capacity."""

    pages: type[StablePages] | type[CanaryPages]
    threads: int
    pool_max: int


# A canary request holds a connection for its whole duration, so the canary needs as many connections as threads.
VERSIONS = {
    names.VERSION_STABLE: Version(StablePages, threads=24, pool_max=8),
    names.VERSION_CANARY: Version(CanaryPages, threads=32, pool_max=32),
    names.VERSION_NEXT: Version(StablePages, threads=24, pool_max=8),
}


def main() -> None:
    """Reads the environment and serves until SIGTERM."""
    env = Environment(service="feed")
    name = env.text(names.ENV_VERSION, env.text(names.ENV_DEFAULT_VERSION, names.VERSION_STABLE))
    if name not in VERSIONS:
        raise UsageError(
            f"{env.where(names.ENV_VERSION)}={name!r} is not a version of the feed service;"
            f" choose from {', '.join(VERSIONS)}"
        )
    version = VERSIONS[name]
    settings = Settings.read("feed", environment=env, version=name, threads=version.threads)
    database_url = env.text(names.ENV_DATABASE_URL, example="postgresql://postgres@127.0.0.1:8096/fleetops")
    cache_url = env.text(names.ENV_CACHE_URL, example="redis://127.0.0.1:8095/0")
    users = env.urls(names.ENV_UPSTREAMS_USER)
    pool_max = env.integer(names.ENV_POOL_MAX, version.pool_max, 1, 100)
    ttl_seconds = env.number(names.ENV_CACHE_TTL, DEFAULT_TTL_SECONDS, MIN_TTL_SECONDS, MAX_TTL_SECONDS)
    if is_config_check(env):
        return
    telemetry = Telemetry(settings)
    database = Database(database_url, application=settings.instance, pool_max=pool_max, registry=telemetry.registry)
    registry = telemetry.registry
    cache = Cache(
        cache_url, name="feed", ttl_seconds=ttl_seconds, registry=registry, keep_stale_seconds=KEEP_STALE_SECONDS
    )
    upstream = Upstream(names.UPSTREAM_USER, users, USER_TIMEOUT_SECONDS, ClientMetrics(registry))
    page_cache, hot_feeds = PageCache(cache, registry), HotFeeds()
    pages = version.pages(database, page_cache, Profiles(upstream))
    telemetry.health.add("db", database.ping)
    database.open()
    admin = telemetry.admin_app()
    add_admin_routes(admin, hot_feeds)
    app = create_app(telemetry, pages, hot_feeds, FeedOptions(ttl_seconds=ttl_seconds))
    run(telemetry, app, admin, [page_cache.close, database.close, cache.close, upstream.close])


if __name__ == "__main__":
    program(main)
