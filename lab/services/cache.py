"""The cache as the services see it: it may be down, and then it is only a miss."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import valkey
from valkey.exceptions import ValkeyError

from lab import names
from lab.telemetry import logs
from lab.telemetry.http import log_field
from lab.telemetry.metrics import CollectorRegistry, Counter

TIMEOUT_SECONDS = 0.25
# Entries written in one burst must not all end in one second.
JITTER_RATIO = 0.2


class Found(NamedTuple):
    """What a look-up gave: `fresh` says whether the entry is within its time to live."""

    value: bytes
    fresh: bool


class Cache:
    """Values as bytes under keys of one family; counts hits, misses and errors as `name`.

    An entry outlives its time to live by `keep_stale_seconds`, for those who would rather have an old value than none.
    """

    def __init__(
        self, url: str, *, name: str, ttl_seconds: float, registry: CollectorRegistry, keep_stale_seconds: float = 0.0
    ) -> None:
        self._client = valkey.Valkey.from_url(
            url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        )
        self._ttl_seconds = ttl_seconds
        self._keep_milliseconds = int(keep_stale_seconds * 1000)
        requests = Counter(names.CACHE_REQUESTS, "Look-ups in the cache.", ["cache", "result"], registry=registry)
        self._results = {result: requests.labels(name, result) for result in ("hit", "stale", "miss", "error")}
        self._log = logs.get()

    def get(self, key: str) -> bytes | None:
        """The value, or None when there is no fresh one or the cache does not answer."""
        found = self.look_up(key)
        return found.value if found else None

    def look_up(self, key: str, *, stale: bool = False) -> Found | None:
        """The entry, or None. One past its time to live is a miss, unless `stale` asks for it."""
        found: Found | None = None
        try:
            found = self._read(key)
            if found is not None and not found.fresh and not stale:
                found = None
            result = "miss" if found is None else "hit" if found.fresh else "stale"
        except ValkeyError as problem:
            result = "error"
            self._log.warning("cache does not answer", operation="get", reason=str(problem))
        self._results[result].inc()
        log_field("cache", result)
        return found

    def put(self, key: str, value: bytes, ttl_seconds: float | None = None) -> None:
        """Keeps `value` for the family's time to live, spread by a fifth either way, or for `ttl_seconds`."""
        ttl = ttl_seconds or self._ttl_seconds
        spread = random.uniform(1 - JITTER_RATIO, 1 + JITTER_RATIO)  # noqa: S311 - no secret
        try:
            self._client.set(key, value, px=max(1, int(ttl * spread * 1000)) + self._keep_milliseconds)
        except ValkeyError as problem:
            self._log.warning("cache does not answer", operation="put", reason=str(problem))

    def delete(self, key: str) -> None:
        """Forgets `key`; when the cache does not answer, the entry lives until its time is up."""
        try:
            self._client.delete(key)
        except ValkeyError as problem:
            self._log.warning("cache does not answer", operation="delete", reason=str(problem))

    def close(self) -> None:
        """Closes every connection."""
        self._client.close()  # type: ignore[no-untyped-call]

    def _read(self, key: str) -> Found | None:
        value: Any
        left: Any = 0
        if not self._keep_milliseconds:
            value = self._client.get(key)
        else:
            pipe = self._client.pipeline(transaction=False)
            pipe.get(key)
            pipe.pttl(key)
            value, left = pipe.execute()  # type: ignore[no-untyped-call]
        if not isinstance(value, bytes):
            return None
        # An entry that somebody put there without an end (-1) is as fresh as any.
        return Found(value, left < 0 or left > self._keep_milliseconds or not self._keep_milliseconds)
