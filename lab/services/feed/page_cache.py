"""The feed cache: single-flight against cache stampedes, and stale feeds with background refresh."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from time import monotonic, perf_counter

from werkzeug.exceptions import HTTPException, ServiceUnavailable

from lab import names
from lab.services.cache import JITTER_RATIO, Cache
from lab.services.feed.options import FeedOptions
from lab.telemetry import logs, spans
from lab.telemetry.http import log_field
from lab.telemetry.metrics import CollectorRegistry, Counter

# How long an expired feed is kept, to be served stale.
KEEP_STALE_SECONDS = 900.0
FLIGHT_WAIT = "wait for another request's build"
# As long as the gateway's timeout.
WAIT_SECONDS = 3.0
# Background refreshes that run at the same time: few, so that they do not slow down requests.
REFRESHERS = 2
MAX_QUEUED_REFRESHES = 200
# Keys whose expected expiry is remembered, to detect lost entries.
MAX_TRACKED_KEYS = 5_000

Build = Callable[[], bytes | None]


class PageCache:
    """Feeds by key: fresh from the cache, stale while they are refreshed, or built now, once for all waiting requests.

    Thread-safe.
    """

    def __init__(self, cache: Cache, registry: CollectorRegistry) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._flights: dict[str, Future[bytes | None]] = {}
        self._refreshing: set[str] = set()
        self._refreshers = ThreadPoolExecutor(REFRESHERS, "refresh")
        self._log = logs.get()
        self._fresh_until: OrderedDict[str, float] = OrderedDict()
        self._lost = Counter(
            names.CACHE_LOST,
            "Entries written by this process that were gone before their TTL expired.",
            ["cache"],
            registry=registry,
        ).labels("feed")
        self._coalesced = Counter(
            names.CACHE_COALESCED, "Misses that waited for a build in progress.", ["cache"], registry=registry
        ).labels("feed")
        refreshes = Counter(
            names.CACHE_REFRESHES, "Background refreshes of stale entries.", ["cache", "result"], registry=registry
        )
        self._refreshes = {result: refreshes.labels("feed", result) for result in ("done", "failed", "skipped")}

    def page(self, key: str, build: Build, options: FeedOptions) -> bytes | None:
        """The feed under `key`. On a miss, `build` builds and stores it; its exceptions propagate.

        Raises ServiceUnavailable (503) when another request's build takes too long.
        """
        entry = self._cache.lookup(key, stale=options.serve_stale)
        if entry is not None:
            if not entry.fresh:
                self._refresh(key, build)
            return entry.value
        self._missed(key)
        return self._build_once(key, build) if options.single_flight else build()

    def put(self, key: str, page: bytes, ttl_seconds: float) -> None:
        """Stores a feed."""
        self._cache.put(key, page, ttl_seconds)
        now = monotonic()
        with self._lock:
            # The cache varies the time to live by JITTER_RATIO, so the entry is certain to exist only until then.
            self._fresh_until[key] = now + ttl_seconds * (1 - JITTER_RATIO)
            self._fresh_until.move_to_end(key)
            while len(self._fresh_until) > MAX_TRACKED_KEYS or next(iter(self._fresh_until.values())) < now:
                self._fresh_until.popitem(last=False)

    def _missed(self, key: str) -> None:
        """Counts a lost entry if the key should still have been cached."""
        with self._lock:
            until = self._fresh_until.pop(key, 0.0)
        if monotonic() < until:
            self._lost.inc()

    def close(self) -> None:
        """Stops the background refreshes."""
        self._refreshers.shutdown(wait=False, cancel_futures=True)

    def _build_once(self, key: str, build: Build) -> bytes | None:
        """Builds the feed, or waits for the request that is building it."""
        with self._lock:
            flight = self._flights.get(key)
            is_leader = flight is None
            if flight is None:
                flight = self._flights[key] = Future()
        if is_leader:
            try:
                flight.set_result(page := build())
                return page
            except BaseException as problem:
                flight.set_exception(problem)
                raise
            finally:
                with self._lock:
                    del self._flights[key]
        self._coalesced.inc()
        log_field("coalesced", True)
        started, error = perf_counter(), ""
        try:
            return flight.result(WAIT_SECONDS)
        except FutureTimeoutError:
            error = "timeout"
            raise ServiceUnavailable("timed out waiting for the feed to be built", retry_after=1) from None
        except HTTPException as problem:
            error = str(problem.code)
            # A copy, because each request modifies its own exception object.
            raise type(problem)(problem.description) from None
        finally:
            spans.record(FLIGHT_WAIT, started, error=error)

    def _refresh(self, key: str, build: Build) -> None:
        with self._lock:
            if key in self._refreshing or len(self._refreshing) >= MAX_QUEUED_REFRESHES:
                self._refreshes["skipped"].inc()
                return
            self._refreshing.add(key)
        self._refreshers.submit(self._rebuild, key, build)

    def _rebuild(self, key: str, build: Build) -> None:
        try:
            build()
            self._refreshes["done"].inc()
        except Exception as problem:  # noqa: BLE001 - the stale feed was served; any failure is only counted
            self._refreshes["failed"].inc()
            self._log.warning("refresh failed", key=key, reason=str(problem)[:200])
        finally:
            with self._lock:
                self._refreshing.discard(key)
