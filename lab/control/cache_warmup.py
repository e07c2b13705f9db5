"""Filling a cold feed cache on purpose: the feeds asked for most, a few at a time, past the gateway and its quotas."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import Any

from lab.clients.http import JsonClient
from lab.clients.pager import read_token
from lab.control.lab_clients import LabClients
from lab.errors import LabError, NotRunning
from lab.names import UPSTREAM_FEED
from lab.stack import replicas
from lab.stack.programs import Program, url

VIEWERS = 400
AT_ONCE = 3
# A page that is made while the DB is overloaded takes its time.
PAGE_SECONDS = 10.0


@dataclass(frozen=True)
class Warmed:
    """What a warm-up did."""

    pages: int
    failed: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def warm(clients: LabClients, viewers: int = VIEWERS, at_once: int = AT_ONCE, reason: str = "") -> Warmed:
    """Ask the feed for the pages of the `viewers` that asked most, `at_once` at the same time. LabError when none came.

    A page in the cache costs next to nothing, one that is not is made: so the cache holds all of them afterwards.
    """
    feeds = replicas.instances(clients.home, clients.ports, UPSTREAM_FEED)
    with clients.trail.action("cache warm", UPSTREAM_FEED, new=viewers, reason=reason) as change:
        started = time.monotonic()
        wanted = popular(clients, feeds, viewers)
        failed = _ask(feeds, wanted, at_once)
        if wanted and failed == len(wanted):
            raise LabError(f"not one of {failed} feed pages could be made; see 'fleetops triage feed'")
        change.new = {"pages": len(wanted) - failed, "failed": failed}
    return Warmed(len(wanted) - failed, failed, round(time.monotonic() - started, 1))


def popular(clients: LabClients, feeds: Sequence[Program], count: int) -> list[int]:
    """The `count` viewers that asked most, over all replicas that answer, most first. NotRunning when none does."""
    token, asked, silent = read_token(clients.home), Counter[int](), []
    for feed in feeds:
        try:
            answer = JsonClient(url(feed.metrics_port), what=feed.name, token=token).call("GET", "/admin/popular")
        except LabError as problem:
            silent.append(str(problem))
            continue
        for row in answer["viewers"]:
            asked[row["id"]] += row["requests"]
    if len(silent) == len(feeds):
        raise NotRunning(silent[0])
    return [viewer for viewer, _ in asked.most_common(count)]


def _ask(feeds: Sequence[Program], viewers: list[int], at_once: int) -> int:
    """Asks for every page; how many did not come."""
    clients = [JsonClient(url(feed.ports[0]), what=feed.name, timeout_seconds=PAGE_SECONDS) for feed in feeds]
    work = iter(zip(viewers, cycle(clients), strict=False))
    lock, failures = threading.Lock(), Counter[str]()

    def worker() -> None:
        while True:
            with lock:
                one = next(work, None)
            if one is None:
                return
            viewer, client = one
            try:
                client.call("GET", f"/v1/feed/{viewer}")
            except LabError as problem:
                with lock:
                    failures[str(problem)] += 1

    workers = [threading.Thread(target=worker, daemon=True) for _ in range(at_once)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    return failures.total()
