"""The fan-out writer: updates the cached feeds of an author's followers when the author's profile is edited.

A cached feed contains the display names of its authors at the time it was built. Edits go into an in-process queue; a
thread looks up the author's followers and writes the new name into their cached feeds. It is best effort: when an edit
is lost with the process, or because the queue is full, feeds stay stale until they expire.

Version 1.1.0 saves round trips: it fans out every edit, and writes all feeds of a batch in one pipeline. Its bug: it
collects the keys of cached feeds in a set, which has no order, so feeds are written under each other's keys.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import valkey

from lab import names
from lab.services.cache import TIMEOUT_SECONDS
from lab.services.db import Database
from lab.telemetry import logs
from lab.telemetry.metrics import CollectorRegistry, Counter

OFF = "off"
MAX_QUEUE = 1000
BATCH = 200

_FOLLOWERS = "SELECT follower_id FROM follows WHERE followee_id = %s ORDER BY follower_id"

Edit = tuple[int, str]  # author id, new display name
Writer = Callable[["valkey.Valkey", Sequence[str], Edit], int]


def feed_key(viewer_id: int) -> str:
    """The cache key of a viewer's feed."""
    return f"feed:1.0:{viewer_id}"


def patched(feed: bytes, edit: Edit) -> bytes:
    """`feed` with the author's new display name; unchanged if the author is not in it."""
    author, name = edit
    if f'"author":{{"id":{author},'.encode() not in feed:
        return feed
    content = json.loads(feed)
    for item in content["items"]:
        if item["author"]["id"] == author:
            item["author"]["display_name"] = name
    return json.dumps(content, separators=(",", ":")).encode()


def write_changed(client: valkey.Valkey, keys: Sequence[str], edit: Edit) -> int:
    """Version 1.0.0: writes each changed feed under its own key. Returns the number of feeds written."""
    written = 0
    for key, feed in zip(keys, _cached_feeds(client, keys), strict=True):
        if feed is not None and (new := patched(feed, edit)) != feed:
            client.set(key, new, xx=True, keepttl=True)
            written += 1
    return written


def write_batch(client: valkey.Valkey, keys: Sequence[str], edit: Edit) -> int:
    """Version 1.1.0: writes all cached feeds in one round trip. Returns the number of feeds written."""
    by_key = dict(zip(keys, _cached_feeds(client, keys), strict=True))
    cached = {key for key, feed in by_key.items() if feed is not None}
    feeds = [patched(feed, edit) for feed in by_key.values() if feed is not None]
    batch = client.pipeline(transaction=False)
    for key, feed in zip(cached, feeds, strict=True):
        batch.set(key, feed, xx=True, keepttl=True)
    batch.execute()  # type: ignore[no-untyped-call]
    return len(feeds)


def _cached_feeds(client: valkey.Valkey, keys: Sequence[str]) -> list[bytes | None]:
    reply: Any = client.mget(keys)
    return list(reply)


# Version → (its write function, whether it fans out every edit or only changes of the display name).
VERSIONS: dict[str, tuple[Writer, bool]] = {"1.0.0": (write_changed, False), "1.1.0": (write_batch, True)}


class FanOut:
    """Runs one version of the writer in a thread; the version "off" writes nothing. Requests do not wait for it."""

    def __init__(self, database: Database, cache_url: str, version: str, registry: CollectorRegistry) -> None:
        self._database = database
        self._write: Writer | None = None
        self._every_edit = False
        if version in VERSIONS:
            self._write, self._every_edit = VERSIONS[version]
        self._client = valkey.Valkey.from_url(
            cache_url, socket_timeout=TIMEOUT_SECONDS * 4, socket_connect_timeout=TIMEOUT_SECONDS
        )
        self._queue: queue.Queue[Edit | None] = queue.Queue(MAX_QUEUE)
        self._log = logs.get()
        edits = Counter(names.FANOUT_EDITS, "Profile edits fanned out to feeds.", ["result"], registry=registry)
        self._edits = {result: edits.labels(result) for result in ("done", "failed", "dropped")}
        written = Counter(names.FANOUT_PAGES, "Cached feeds written.", ["version"], registry=registry)
        self._written = written.labels(version)
        self._thread = threading.Thread(target=self._run, name="fan-out", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        if self._write is not None:
            self._thread.start()

    def edited(self, author: int, name: str, *, renamed: bool) -> None:
        """Queues an edit that has been committed; `renamed` if the display name changed."""
        if self._write is None or not (renamed or self._every_edit):
            return
        try:
            self._queue.put_nowait((author, name))
        except queue.Full:
            self._edits["dropped"].inc()

    def close(self) -> None:
        """Processes queued edits for at most a second, then stops."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(1)
        self._client.close()  # type: ignore[no-untyped-call]

    def _run(self) -> None:
        while (edit := self._queue.get()) is not None:
            try:
                self._fan_out(edit)
                self._edits["done"].inc()
            except Exception as problem:  # noqa: BLE001 - this edit is lost; the thread must continue with the next
                self._edits["failed"].inc()
                self._log.warning("fan-out failed", author=edit[0], reason=str(problem)[:200])

    def _fan_out(self, edit: Edit) -> None:
        with self._database.session() as session:
            keys = [feed_key(row[0]) for row in session.rows("follow.followers", _FOLLOWERS, [edit[0]])]
        for start in range(0, len(keys), BATCH):
            if self._write is not None:
                self._written.inc(self._write(self._client, keys[start : start + BATCH], edit))
