"""Token buckets. Pure arithmetic: callers pass the current time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

# Buckets are kept for this many clients. The least recently seen is evicted, and will start with a full bucket again.
MAX_CLIENTS = 10_000


@dataclass
class TokenBucket:
    """A bucket that gains `per_second` tokens up to `burst`. Times are monotonic seconds."""

    per_second: float
    burst: float
    tokens: float
    at: float

    def take(self, now: float) -> float:
        """Takes a token and returns 0; without one, returns the seconds until there is one."""
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.at) * self.per_second)
        self.at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.per_second


@dataclass(frozen=True)
class Quota:
    """The rate limits: requests per second and burst, for all clients together and for each client."""

    global_per_second: float = 1000.0
    global_burst: float = 1000.0
    client_per_second: float = 50.0
    client_burst: float = 100.0


class RateLimiter:
    """One bucket per client, checked first, and one for all: a client over its own limit takes nothing from others.

    Thread-safe.
    """

    def __init__(self, quota: Quota) -> None:
        self._lock = threading.Lock()
        self.configure(quota)

    def configure(self, quota: Quota) -> None:
        """Sets the limits and fills all buckets."""
        with self._lock:
            self.quota = quota
            self._all = TokenBucket(quota.global_per_second, quota.global_burst, quota.global_burst, 0.0)
            self._clients: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, client: str, now: float) -> tuple[str, float]:
        """("", 0) if the request is admitted, else the scope that refuses it and the seconds to wait."""
        with self._lock:
            wait = self._bucket(client, now).take(now)
            if wait:
                return "client", wait
            wait = self._all.take(now)
            return ("global", wait) if wait else ("", 0.0)

    def _bucket(self, client: str, now: float) -> TokenBucket:
        bucket = self._clients.get(client)
        if bucket is None:
            quota = self.quota
            bucket = self._clients[client] = TokenBucket(
                quota.client_per_second, quota.client_burst, quota.client_burst, now
            )
            if len(self._clients) > MAX_CLIENTS:
                self._clients.popitem(last=False)
        else:
            self._clients.move_to_end(client)
        return bucket
