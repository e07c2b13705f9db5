"""The feed correctness probe: reads the feeds of some users as a client does, and compares them with the database.

All golden signals can be green while every user gets another user's feed: only a client that knows the expected feed
detects this. The probe has its own accounts in the seed data: one author and some followers. Every few probes it writes
the author's profile unchanged, so that the fan-out after an edit is exercised too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from typing import Any

import psycopg
import urllib3

from lab import names
from lab.services.db import Session
from lab.services.feed.ranking import rank
from lab.stack.exporter.worker import Worker, connect
from lab.telemetry import json_text
from lab.telemetry.metrics import CollectorRegistry, Counter, Histogram

INTERVAL_SECONDS = 1.0
TIMEOUT_SECONDS = 3.0
STATEMENT_MILLISECONDS = 2000
EXPECTED_FEED_SECONDS = 60.0
APPLICATION = "feed-probe"
VIEWERS = 8
PROBES_PER_EDIT = 5

# The first author from id 1000 on with so few followers that the probe covers nearly all of them.
_AUTHOR = """
SELECT followee_id, (SELECT display_name FROM users WHERE id = followee_id), array_agg(follower_id ORDER BY follower_id)
FROM follows WHERE followee_id >= 1000 GROUP BY 1 HAVING count(*) BETWEEN %s AND %s ORDER BY 1 LIMIT 1
"""
_AUTHORS = "SELECT id, author_id FROM posts WHERE id = ANY(%s)"

Items = list[tuple[int, int]]  # (post, author), best first


class ExpectedFeeds:
    """The expected feed of each viewer, from the database; cached for EXPECTED_FEED_SECONDS."""

    def __init__(self, url: str, registry: CollectorRegistry) -> None:
        self._url = url
        self._cached: dict[int, tuple[float, Items]] = {}
        self._durations = Histogram(
            names.DB_OPERATION_DURATION, "Duration of database operations.", ["db_operation_name"], registry=registry
        )

    def items(self, viewer: int, *, refresh: bool = False) -> Items | None:
        """The expected items of the viewer's feed; None while the database does not answer."""
        at, items = self._cached.get(viewer, (0.0, []))
        if at and not refresh and time.monotonic() - at < EXPECTED_FEED_SECONDS:
            return items
        try:
            items = self._query(viewer)
        except psycopg.Error:
            return None
        self._cached[viewer] = (time.monotonic(), items)
        return items

    def accounts(self) -> tuple[int, str, list[int]] | None:
        """(author, the author's name, followers) for the probe; None while the database does not answer."""
        try:
            with self._session() as session:
                row = session.row("probe.accounts", _AUTHOR, [VIEWERS, VIEWERS + 4])
        except psycopg.Error:
            return None
        return (row[0], row[1], list(row[2])[:VIEWERS]) if row else None

    def _query(self, viewer: int) -> Items:
        with self._session() as session:
            ids = rank(session, viewer)
            authors: dict[int, int] = dict(session.rows("post.authors", _AUTHORS, [ids]))
        return [(post, authors[post]) for post in ids]

    @contextmanager
    def _session(self) -> Iterator[Session]:
        # One connection per query, every few seconds: an idle session would cost PostgreSQL more memory than this
        # saves.
        with connect(self._url, APPLICATION, STATEMENT_MILLISECONDS) as connection:
            yield Session(connection, self._durations)


class FeedProbe(Worker):
    """Probes one viewer after another in a thread, and counts the results."""

    def __init__(self, gateway_url: str, expected: ExpectedFeeds, registry: CollectorRegistry) -> None:
        super().__init__("feed-probe", TIMEOUT_SECONDS)
        self._pool = urllib3.connection_from_url(gateway_url, maxsize=1, retries=False, timeout=TIMEOUT_SECONDS)
        self._expected = expected
        results = Counter(
            names.FEED_PROBES, "Feeds read and compared with the database.", ["result"], registry=registry
        )
        self._results = {result: results.labels(result) for result in ("match", "mismatch", "unanswered")}

    def stop(self) -> None:
        """Stop the thread and close its connections."""
        super().stop()
        self._pool.close()

    def _run(self) -> None:
        while (accounts := self._expected.accounts()) is None:
            if self._stopped.wait(INTERVAL_SECONDS):
                return
        author, name, viewers = accounts
        for count, viewer in enumerate(cycle(viewers)):
            if self._stopped.wait(INTERVAL_SECONDS):
                return
            if count % PROBES_PER_EDIT == 0:
                self.edit(author, name)
            if result := self.probe(viewer):
                self._results[result].inc()

    def edit(self, author: int, name: str) -> None:
        """Write the author's profile unchanged, and ignore the response: the availability SLO covers it."""
        headers = {names.HEADER_CLIENT_ID: APPLICATION, "Content-Type": "application/json"}
        body = json.dumps({"display_name": name}).encode()
        with suppress(urllib3.exceptions.HTTPError):
            self._pool.request("PUT", names.ROUTE_USER.format(user_id=author), body=body, headers=headers)

    def probe(self, viewer: int) -> str:
        """Read one feed: "match", "mismatch" or "unanswered"; "" while the database does not answer."""
        expected = self._expected.items(viewer)
        if expected is None:
            return ""
        feed = self._read(viewer)
        if feed is None:
            return "unanswered"
        if feed == (viewer, expected):
            return "match"
        # The cached expectation may be older than a change in the database.
        expected = self._expected.items(viewer, refresh=True)
        if expected is None:
            return ""
        if feed == (viewer, expected):
            return "match"
        self._log.warning("the feed is wrong", viewer=viewer, got=_excerpt(feed), expected=_excerpt((viewer, expected)))
        return "mismatch"

    def _read(self, viewer: int) -> tuple[int, Items] | None:
        headers = {names.HEADER_CLIENT_ID: f"{APPLICATION}-{viewer}"}
        try:
            response = self._pool.request("GET", names.ROUTE_FEED.format(user_id=viewer), headers=headers)
            if response.status != 200:
                return None
            feed: dict[str, Any] = json_text.parse(response.data)
            return feed["user_id"], [(item["id"], item["author"]["id"]) for item in feed["items"]]
        except urllib3.exceptions.HTTPError:
            return None
        except (ValueError, KeyError, TypeError):
            return 0, []  # a response that is not a feed


def _excerpt(feed: tuple[int, Items]) -> str:
    return f"user {feed[0]}: {' '.join(str(post) for post, _ in feed[1][:4])} …"
