"""The request mix: routes, users with Zipf-like popularity, and clients. Deterministic for a given seed."""

from __future__ import annotations

import bisect
import json
import random
from dataclasses import dataclass
from itertools import accumulate

from lab import names
from lab.telemetry import trace

# Shares of the requests.
FEED_RATIO = 0.5
USER_READ_RATIO = 0.4  # the rest are writes

# The active users. Few enough that most of their feeds are cached after a minute.
AUDIENCE = 400
USERS = 20_000
ZIPF_EXPONENT = 1.05
CLIENTS = 400


@dataclass(frozen=True)
class Request:
    """A serialised request and its route."""

    route: str
    data: bytes


class Mix:
    """Generates requests with the Host header `host`."""

    def __init__(self, host: str, seed: int = 1) -> None:
        self._host = host
        self._random = random.Random(seed)  # noqa: S311 - a workload, not a secret
        # Spread over all users by multiplication with a prime, so that adjacent ranks do not have adjacent ids.
        self._audience = [1 + rank * 7727 % USERS for rank in range(AUDIENCE)]
        self._weights = list(accumulate(1 / (rank + 1) ** ZIPF_EXPONENT for rank in range(AUDIENCE)))
        self._writes = 0

    def next(self, client_id: str = "") -> Request:
        """The next request of the usual mix, from one of the CLIENTS or from `client_id`."""
        chance = self._random.random()
        client = client_id or f"client-{self._random.randrange(CLIENTS):03d}"
        if chance < FEED_RATIO:
            return self._request("GET", names.ROUTE_FEED, self._any_user(), client)
        if chance < FEED_RATIO + USER_READ_RATIO:
            return self._request("GET", names.ROUTE_USER, self._any_user(), client)
        self._writes += 1
        body = json.dumps({"bio": f"Edited {self._writes} times today."}).encode()
        return self._request("PUT", names.ROUTE_USER, self._random.choice(self._audience), client, body)

    def of_crowd(self, client_id: str, people: int) -> Request:
        """The next request of a crowd: one of `people` outside the usual audience reads their own feed."""
        person = self._random.randrange(people)
        viewer = 1 + (AUDIENCE + person % (USERS - AUDIENCE)) * 7727 % USERS
        return self._request("GET", names.ROUTE_FEED, viewer, f"{client_id}-{person}")

    def _any_user(self) -> int:
        """A random user of the audience, weighted by popularity."""
        rank = bisect.bisect(self._weights, self._random.random() * self._weights[-1])
        return self._audience[min(rank, AUDIENCE - 1)]

    def _request(self, method: str, route: str, user_id: int, client: str, body: bytes = b"") -> Request:
        content = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        head = (
            f"{method} {route.replace('{user_id}', str(user_id))} HTTP/1.1\r\nHost: {self._host}\r\n"
            f"{names.HEADER_CLIENT_ID}: {client}\r\n"
            f"{names.HEADER_TRACEPARENT}: {trace.new_traceparent()}\r\n{content}\r\n"
        )
        return Request(route, head.encode("ascii") + body)
