"""Warm a cold feed cache: request the most popular feeds from the replicas, bypassing the gateway and its quotas."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from lab.clients.http import JsonClient
from lab.clients.pager import read_token
from lab.control.lab_clients import LabClients
from lab.errors import LabError, NotRunning
from lab.names import UPSTREAM_FEED
from lab.stack import replicas
from lab.stack.programs import Program, url

VIEWERS = 400
AT_ONCE = 3
# Long, because computing a feed is slow while the database is overloaded.
FEED_SECONDS = 10.0


@dataclass(frozen=True)
class Warmed:
    """The outcome of a warm-up: feeds that are cached now (`pages`), feeds that failed, and its duration."""

    pages: int
    failed: int
    seconds: float


def warm(clients: LabClients, viewers: int = VIEWERS, at_once: int = AT_ONCE, reason: str = "") -> Warmed:
    """Request the feeds of the `viewers` most active viewers, `at_once` at a time, so that all of them are cached.

    A request for a cached feed costs almost nothing; any other feed is computed and cached. Raises LabError when every
    request fails, NotRunning when no replica answers.
    """
    feeds = replicas.instances(clients.home, clients.ports, UPSTREAM_FEED)
    with clients.trail.action("cache warm", UPSTREAM_FEED, new=viewers, reason=reason) as change:
        started = time.monotonic()
        popular_viewers = popular(clients, feeds, viewers)
        failed = _request_feeds(feeds, popular_viewers, at_once)
        if popular_viewers and failed == len(popular_viewers):
            raise LabError(f"all {failed} feed requests failed; see `fleetops triage feed`")
        change.new = {"pages": len(popular_viewers) - failed, "failed": failed}
    return Warmed(len(popular_viewers) - failed, failed, round(time.monotonic() - started, 1))


def popular(clients: LabClients, feeds: Sequence[Program], count: int) -> list[int]:
    """Ids of the `count` viewers with the most requests over all replicas, most first. NotRunning when none answers."""
    token, requests, failures = read_token(clients.home), Counter[int](), []
    for feed in feeds:
        try:
            answer = JsonClient(url(feed.metrics_port), what=feed.name, token=token).call("GET", "/admin/popular")
        except LabError as error:
            failures.append(str(error))
            continue
        for row in answer["viewers"]:
            requests[row["id"]] += row["requests"]
    if len(failures) == len(feeds):
        raise NotRunning(failures[0])
    return [viewer for viewer, _ in requests.most_common(count)]


def _request_feeds(feeds: Sequence[Program], viewers: list[int], at_once: int) -> int:
    """Request every viewer's feed, spread over the replicas; returns the number of failures."""
    clients = [JsonClient(url(feed.ports[0]), what=feed.name, timeout_seconds=FEED_SECONDS) for feed in feeds]
    work = iter(zip(viewers, cycle(clients), strict=False))
    lock, failures = threading.Lock(), list[int]()

    def worker() -> None:
        while True:
            with lock:
                request = next(work, None)
            if request is None:
                return
            viewer, client = request
            try:
                client.call("GET", f"/v1/feed/{viewer}")
            except LabError:
                with lock:
                    failures.append(viewer)

    workers = [threading.Thread(target=worker, daemon=True) for _ in range(at_once)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    return len(failures)
