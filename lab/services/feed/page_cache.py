"""Feed pages through the cache, and what keeps a crowd that misses from doing the same work side by side."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from time import monotonic

from werkzeug.exceptions import HTTPException, ServiceUnavailable

from lab import names
from lab.services.cache import JITTER_RATIO, Cache
from lab.services.feed.options import FeedOptions
from lab.telemetry import logs
from lab.telemetry.http import log_field
from lab.telemetry.metrics import CollectorRegistry, Counter

# An old page is kept this long past its time to live. It is worth having when the alternative is none.
KEEP_STALE_SECONDS = 900.0
# As long as the gateway waits.
WAIT_SECONDS = 3.0
# Pages made behind stale answers, at the same time: they are in no hurry and must not crowd out those that are.
REFRESHERS = 2
MAX_REFRESHES_WAITING = 200

# Pages that should be in the cache, by key: at most this many, and none for longer than its time to live.
REMEMBERED = 5_000

Make = Callable[[], bytes | None]


class PageCache:
    """Pages by key: fresh from the cache, stale while they are made anew, or made now, by one for all who wait."""

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
            "Entries of this process that were gone before their time was up.",
            ["cache"],
            registry=registry,
        ).labels("feed")
        self._coalesced = Counter(
            names.CACHE_COALESCED, "Misses that waited for one on its way.", ["cache"], registry=registry
        ).labels("feed")
        refreshes = Counter(
            names.CACHE_REFRESHES, "Entries made anew behind a stale answer.", ["cache", "result"], registry=registry
        )
        self._refreshes = {result: refreshes.labels("feed", result) for result in ("done", "failed", "skipped")}

    def page(self, key: str, make: Make, options: FeedOptions) -> bytes | None:
        """The page under `key`. `make` makes it and puts it here; what it raises passes through."""
        found = self._cache.look_up(key, stale=options.serve_stale)
        if found is not None:
            if not found.fresh:
                self._refresh(key, make)
            return found.value
        self._missed(key)
        return self._fly(key, make) if options.single_flight else make()

    def put(self, key: str, page: bytes, ttl_seconds: float) -> None:
        """Keeps a page that was made."""
        self._cache.put(key, page, ttl_seconds)
        now = monotonic()
        with self._lock:
            # It lives a fifth longer or shorter than it was told.
            self._fresh_until[key] = now + ttl_seconds * (1 - JITTER_RATIO)
            self._fresh_until.move_to_end(key)
            while len(self._fresh_until) > REMEMBERED or next(iter(self._fresh_until.values())) < now:
                self._fresh_until.popitem(last=False)

    def _missed(self, key: str) -> None:
        """Counts a miss of what should still be there, once."""
        with self._lock:
            until = self._fresh_until.pop(key, 0.0)
        if monotonic() < until:
            self._lost.inc()

    def close(self) -> None:
        """Ends the refreshers."""
        self._refreshers.shutdown(wait=False, cancel_futures=True)

    def _fly(self, key: str, make: Make) -> bytes | None:
        with self._lock:
            flight = self._flights.get(key)
            leads = flight is None
            if flight is None:
                flight = self._flights[key] = Future()
        if leads:
            try:
                flight.set_result(page := make())
                return page
            except BaseException as problem:
                flight.set_exception(problem)
                raise
            finally:
                with self._lock:
                    del self._flights[key]
        self._coalesced.inc()
        log_field("coalesced", True)
        try:
            return flight.result(WAIT_SECONDS)
        except FutureTimeoutError:
            raise ServiceUnavailable("the page is still being made", retry_after=1) from None
        except HTTPException as problem:
            # The leader's own answer must not be shared as an object: each request fills in its own.
            raise type(problem)(problem.description) from None

    def _refresh(self, key: str, make: Make) -> None:
        with self._lock:
            if key in self._refreshing or len(self._refreshing) >= MAX_REFRESHES_WAITING:
                self._refreshes["skipped"].inc()
                return
            self._refreshing.add(key)
        self._refreshers.submit(self._make_anew, key, make)

    def _make_anew(self, key: str, make: Make) -> None:
        try:
            make()
            self._refreshes["done"].inc()
        except Exception as problem:  # noqa: BLE001 - the stale page was served; whatever it was, it is counted
            self._refreshes["failed"].inc()
            self._log.warning("refresh failed", key=key, reason=str(problem)[:200])
        finally:
            with self._lock:
                self._refreshing.discard(key)
