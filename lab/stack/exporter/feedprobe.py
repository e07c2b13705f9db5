"""Does the feed say what is so? Reads some users' feeds as a client does, and compares them with the DB.

Latency, errors, traffic and saturation all look well while every user gets somebody else's feed; only a client that
knows the right answer can tell. The probe has accounts of the seed to itself: one author and some of the followers.
Every few probes it edits the author's profile to what it is already, so that what follows an edit is exercised too.
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
from lab.telemetry.metrics import CollectorRegistry, Counter, Histogram

INTERVAL_SECONDS = 1.0
PATIENCE_SECONDS = 3.0
STATEMENT_MILLISECONDS = 2000
TRUTH_SECONDS = 60.0
APPLICATION = "feed-probe"
VIEWERS = 8
PROBES_AN_EDIT = 5

# The first author, from some id on, whom so few follow that the probe reads for nearly all of them.
_AUTHOR = """
SELECT followee_id, (SELECT display_name FROM users WHERE id = followee_id), array_agg(follower_id ORDER BY follower_id)
FROM follows WHERE followee_id >= 1000 GROUP BY 1 HAVING count(*) BETWEEN %s AND %s ORDER BY 1 LIMIT 1
"""
_AUTHORS = "SELECT id, author_id FROM posts WHERE id = ANY(%s)"

Items = list[tuple[int, int]]  # (post, author), best first


class Truth:
    """What a viewer's feed must be, from the DB; remembered for a minute."""

    def __init__(self, url: str, registry: CollectorRegistry) -> None:
        self._url = url
        self._known: dict[int, tuple[float, Items]] = {}
        self._durations = Histogram(
            names.DB_OPERATION_DURATION, "Duration of DB operations.", ["db_operation_name"], registry=registry
        )

    def items(self, viewer: int, *, afresh: bool = False) -> Items | None:
        """The items of the viewer's feed; None while the DB does not tell."""
        at, items = self._known.get(viewer, (0.0, []))
        if at and not afresh and time.monotonic() - at < TRUTH_SECONDS:
            return items
        try:
            items = self._ask(viewer)
        except psycopg.Error:
            return None
        self._known[viewer] = (time.monotonic(), items)
        return items

    def accounts(self) -> tuple[int, str, list[int]] | None:
        """(author, the author's name, followers) for the probe to use; None while the DB does not tell."""
        try:
            with self._session() as session:
                row = session.row("probe.accounts", _AUTHOR, [VIEWERS, VIEWERS + 4])
        except psycopg.Error:
            return None
        return (row[0], row[1], list(row[2])[:VIEWERS]) if row else None

    def _ask(self, viewer: int) -> Items:
        with self._session() as session:
            ids = rank(session, viewer)
            authors: dict[int, int] = dict(session.rows("post.authors", _AUTHORS, [ids]))
        return [(one, authors[one]) for one in ids]

    @contextmanager
    def _session(self) -> Iterator[Session]:
        # A connection for each question, every few seconds: one that is kept costs the DB more memory than it saves.
        with connect(self._url, APPLICATION, STATEMENT_MILLISECONDS) as connection:
            yield Session(connection, self._durations)


class FeedProbe(Worker):
    """Probes one viewer after the other, in a thread."""

    def __init__(self, gateway_url: str, truth: Truth, registry: CollectorRegistry) -> None:
        super().__init__("feed-probe", PATIENCE_SECONDS)
        self._pool = urllib3.connection_from_url(gateway_url, maxsize=1, retries=False, timeout=PATIENCE_SECONDS)
        self._truth = truth
        results = Counter(names.FEED_PROBES, "Feeds read and compared with the DB.", ["result"], registry=registry)
        self._results = {result: results.labels(result) for result in ("match", "mismatch", "unanswered")}

    def stop(self) -> None:
        """Stop, and close every connection."""
        super().stop()
        self._pool.close()

    def _run(self) -> None:
        while (accounts := self._truth.accounts()) is None:
            if self._stopped.wait(INTERVAL_SECONDS):
                return
        author, name, viewers = accounts
        for count, viewer in enumerate(cycle(viewers)):
            if self._stopped.wait(INTERVAL_SECONDS):
                return
            if count % PROBES_AN_EDIT == 0:
                self.edit(author, name)
            if result := self.probe(viewer):
                self._results[result].inc()

    def edit(self, author: int, name: str) -> None:
        """Write the author's profile as it is; the answer is the availability SLO's business."""
        headers = {names.HEADER_CLIENT_ID: APPLICATION, "Content-Type": "application/json"}
        body = json.dumps({"display_name": name}).encode()
        with suppress(urllib3.exceptions.HTTPError):
            self._pool.request("PUT", names.ROUTE_USER.format(user_id=author), body=body, headers=headers)

    def probe(self, viewer: int) -> str:
        """Read one feed: "match", "mismatch" or "unanswered"; "" while the DB does not tell what is right."""
        if self._truth.items(viewer) is None:
            return ""
        page = self._read(viewer)
        if page is None:
            return "unanswered"
        if page == (viewer, self._truth.items(viewer)):
            return "match"
        # What changed in the DB since it was asked is no mistake of the feed.
        truth = self._truth.items(viewer, afresh=True)
        if truth is None or page == (viewer, truth):
            return "match" if truth is not None else ""
        self._log.warning("the feed is wrong", viewer=viewer, got=_told(page), wanted=_told((viewer, truth)))
        return "mismatch"

    def _read(self, viewer: int) -> tuple[int, Items] | None:
        headers = {names.HEADER_CLIENT_ID: f"{APPLICATION}-{viewer}"}
        try:
            answer = self._pool.request("GET", names.ROUTE_FEED.format(user_id=viewer), headers=headers)
            if answer.status != 200:
                return None
            page: dict[str, Any] = json.loads(answer.data)
            return page["user_id"], [(item["id"], item["author"]["id"]) for item in page["items"]]
        except urllib3.exceptions.HTTPError:
            return None
        except (ValueError, KeyError, TypeError):
            return 0, []  # an answer, and no feed


def _told(page: tuple[int, Items]) -> str:
    return f"user {page[0]}: {' '.join(str(post) for post, _ in page[1][:4])} …"
