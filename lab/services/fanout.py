"""The fan-out writer: carries an edited profile into the cached feeds of those who follow its author.

A cached page holds the names of its authors as they were when it was made. Each edit is put in a queue in this process;
a thread looks up the author's followers and writes the new name into those of their pages that are cached. It is best
effort: what is lost with the process, or because the queue is full, is stale until the page expires.

Version 1.1.0 was made to save round trips: it fans out every edit, and writes all pages of a batch in one go. It puts
the keys of the pages it found into a set, and a set keeps no order: pages end up under each other's keys.
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

Edit = tuple[int, str]  # author, the name as it is now
Writer = Callable[["valkey.Valkey", Sequence[str], Edit], int]


def feed_key(viewer_id: int) -> str:
    """Where a viewer's page is cached."""
    return f"feed:1.0:{viewer_id}"


def patched(page: bytes, edit: Edit) -> bytes:
    """`page` with the author's name as it is now; the same bytes when the author is not on it."""
    author, name = edit
    if f'"author":{{"id":{author},'.encode() not in page:
        return page
    content = json.loads(page)
    for item in content["items"]:
        if item["author"]["id"] == author:
            item["author"]["display_name"] = name
    return json.dumps(content, separators=(",", ":")).encode()


def changed_pages(client: valkey.Valkey, keys: Sequence[str], edit: Edit) -> int:
    """Version 1.0.0: writes back what changed, each under its own key; how many."""
    written = 0
    for key, page in zip(keys, _pages(client, keys), strict=True):
        if page is not None and (new := patched(page, edit)) != page:
            client.set(key, new, xx=True, keepttl=True)
            written += 1
    return written


def whole_batch(client: valkey.Valkey, keys: Sequence[str], edit: Edit) -> int:
    """Version 1.1.0: writes back all that was found, in one round trip; how many."""
    found = _pages(client, keys)
    cached = {key for key, page in zip(keys, found, strict=True) if page is not None}
    pages = [patched(page, edit) for page in found if page is not None]
    batch = client.pipeline(transaction=False)
    for key, page in zip(cached, pages, strict=True):
        batch.set(key, page, xx=True, keepttl=True)
    batch.execute()  # type: ignore[no-untyped-call]
    return len(pages)


def _pages(client: valkey.Valkey, keys: Sequence[str]) -> list[bytes | None]:
    answer: Any = client.mget(keys)
    return list(answer)


# version → (how it writes, whether every edit counts or only one of the name).
VERSIONS: dict[str, tuple[Writer, bool]] = {"1.0.0": (changed_pages, False), "1.1.0": (whole_batch, True)}


class FanOut:
    """One version of the writer; "off" writes nothing. Nobody waits for it."""

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
        edits = Counter(names.FANOUT_EDITS, "Edits carried into feeds.", ["result"], registry=registry)
        self._edits = {result: edits.labels(result) for result in ("done", "failed", "dropped")}
        pages = Counter(names.FANOUT_PAGES, "Cached pages written.", ["version"], registry=registry)
        self._pages = pages.labels(version)
        self._thread = threading.Thread(target=self._run, name="fan-out", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        if self._write is not None:
            self._thread.start()

    def edited(self, author: int, name: str, *, renamed: bool) -> None:
        """An edit is durable; `renamed` when it was one of the name."""
        if self._write is None or not (renamed or self._every_edit):
            return
        try:
            self._queue.put_nowait((author, name))
        except queue.Full:
            self._edits["dropped"].inc()

    def close(self) -> None:
        """Writes what is queued, at most for a second, and ends."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(1)
        self._client.close()  # type: ignore[no-untyped-call]

    def _run(self) -> None:
        while (edit := self._queue.get()) is not None:
            try:
                self._carry(edit)
                self._edits["done"].inc()
            except Exception as problem:  # noqa: BLE001 - one edit is lost; the thread must go on with the next
                self._edits["failed"].inc()
                self._log.warning("fan-out failed", author=edit[0], reason=str(problem)[:200])

    def _carry(self, edit: Edit) -> None:
        with self._database.session() as session:
            keys = [feed_key(row[0]) for row in session.rows("follow.followers", _FOLLOWERS, [edit[0]])]
        for start in range(0, len(keys), BATCH):
            if self._write is not None:
                self._pages.inc(self._write(self._client, keys[start : start + BATCH], edit))
