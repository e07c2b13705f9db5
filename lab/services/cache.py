"""The cache as the services see it: it may be down, and then it is only a miss."""

from __future__ import annotations

import random
from typing import Any

import valkey
from valkey.exceptions import ValkeyError

from lab import names
from lab.telemetry import logs
from lab.telemetry.http import fact
from lab.telemetry.metrics import CollectorRegistry, Counter

TIMEOUT_SECONDS = 0.25
# Entries written in one burst must not all end in one second.
JITTER_RATIO = 0.2


class Cache:
    """Values as bytes under keys of one family; counts hits, misses and errors as `name`."""

    def __init__(self, url: str, *, name: str, ttl_seconds: float, registry: CollectorRegistry) -> None:
        self._client = valkey.Valkey.from_url(
            url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        )
        self._ttl_seconds = ttl_seconds
        requests = Counter(names.CACHE_REQUESTS, "Look-ups in the cache.", ["cache", "result"], registry=registry)
        self._results = {result: requests.labels(name, result) for result in ("hit", "miss", "error")}
        self._log = logs.get()

    def get(self, key: str) -> bytes | None:
        """The value, or None when there is none or the cache does not answer."""
        value: Any = None
        try:
            value = self._client.get(key)
            result = "miss" if value is None else "hit"
        except ValkeyError as problem:
            result = "error"
            self._log.warning("cache does not answer", operation="get", reason=str(problem))
        self._results[result].inc()
        fact("cache", result)
        return value if isinstance(value, bytes) else None

    def put(self, key: str, value: bytes, ttl_seconds: float | None = None) -> None:
        """Keeps `value` for the family's time to live, spread by a fifth either way, or for `ttl_seconds`."""
        ttl = ttl_seconds or self._ttl_seconds
        spread = random.uniform(1 - JITTER_RATIO, 1 + JITTER_RATIO)  # noqa: S311 - no secret
        try:
            self._client.set(key, value, px=max(1, int(ttl * spread * 1000)))
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
