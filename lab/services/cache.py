"""The services' cache client. If the cache is down, every lookup is a miss."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, NamedTuple

import valkey
from valkey.exceptions import ValkeyError

from lab import names
from lab.telemetry import logs, spans
from lab.telemetry.http import log_field
from lab.telemetry.metrics import CollectorRegistry, Counter

TIMEOUT_SECONDS = 0.25
# Spreads expiry, so that entries written in one burst do not all expire in the same second.
JITTER_RATIO = 0.2


def _command(name: str) -> dict[str, str]:
    return {names.ATTRIBUTE_DB_SYSTEM: "valkey", names.ATTRIBUTE_DB_OPERATION: name}


# The attributes of spans.
_LOOKUPS = {result: {**_command("GET"), names.ATTRIBUTE_RESULT: result} for result in ("hit", "stale", "miss", "error")}
_SET, _DELETE = _command("SET"), _command("DEL")


class Entry(NamedTuple):
    """A cached value; `fresh` while it is within its time to live."""

    value: bytes
    fresh: bool


class Cache:
    """Bytes by key; hits, misses and errors are counted under `name`.

    Entries are kept for `keep_stale_seconds` after their time to live, for callers that prefer a stale value to none.
    """

    def __init__(
        self, url: str, *, name: str, ttl_seconds: float, registry: CollectorRegistry, keep_stale_seconds: float = 0.0
    ) -> None:
        self._client = valkey.Valkey.from_url(
            url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        )
        self._ttl_seconds = ttl_seconds
        self._keep_milliseconds = int(keep_stale_seconds * 1000)
        requests = Counter(names.CACHE_REQUESTS, "Cache lookups.", ["cache", "result"], registry=registry)
        self._results = {result: requests.labels(name, result) for result in ("hit", "stale", "miss", "error")}
        self._log = logs.get()

    def get(self, key: str) -> bytes | None:
        """The fresh value, or None if there is none or the cache does not answer."""
        entry = self.lookup(key)
        return entry.value if entry else None

    def lookup(self, key: str, *, stale: bool = False) -> Entry | None:
        """The entry, or None. An expired entry is a miss, unless `stale` is set."""
        entry: Entry | None = None
        started = perf_counter()
        try:
            entry = self._read(key)
            if entry is not None and not entry.fresh and not stale:
                entry = None
            result = "miss" if entry is None else "hit" if entry.fresh else "stale"
        except ValkeyError as problem:
            result = "error"
            self._log.warning("cache does not answer", operation="get", reason=str(problem))
        spans.record("cache get", started, spans.CLIENT, _LOOKUPS[result], error="error" if result == "error" else "")
        self._results[result].inc()
        log_field("cache", result)
        return entry

    def put(self, key: str, value: bytes, ttl_seconds: float | None = None) -> None:
        """Stores `value` for `ttl_seconds` (default: the cache's own), randomly varied by JITTER_RATIO."""
        ttl = ttl_seconds or self._ttl_seconds
        spread = random.uniform(1 - JITTER_RATIO, 1 + JITTER_RATIO)  # noqa: S311 - not a secret
        expires = max(1, int(ttl * spread * 1000)) + self._keep_milliseconds
        self._change("put", _SET, lambda: self._client.set(key, value, px=expires))

    def delete(self, key: str) -> None:
        """Deletes `key`; if the cache does not answer, the entry stays until it expires."""
        self._change("delete", _DELETE, lambda: self._client.delete(key))

    def _change(self, operation: str, attributes: Mapping[str, str], command: Callable[[], object]) -> None:
        started, error = perf_counter(), ""
        try:
            command()
        except ValkeyError as problem:
            error = "error"
            self._log.warning("cache does not answer", operation=operation, reason=str(problem))
        spans.record(f"cache {operation}", started, spans.CLIENT, attributes, error=error)

    def close(self) -> None:
        """Closes every connection."""
        self._client.close()  # type: ignore[no-untyped-call]

    def _read(self, key: str) -> Entry | None:
        value: Any
        ttl_milliseconds: Any = 0
        if not self._keep_milliseconds:
            value = self._client.get(key)
        else:
            pipe = self._client.pipeline(transaction=False)
            pipe.get(key)
            pipe.pttl(key)
            value, ttl_milliseconds = pipe.execute()  # type: ignore[no-untyped-call]
        if not isinstance(value, bytes):
            return None
        # An entry without expiry (-1) counts as fresh.
        fresh = not self._keep_milliseconds or ttl_milliseconds < 0 or ttl_milliseconds > self._keep_milliseconds
        return Entry(value, fresh)
