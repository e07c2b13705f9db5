"""Token buckets: arithmetic only, the time is told."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

# Buckets kept for this many clients; who was not seen for longest is forgotten, which fills his bucket.
CLIENTS_KEPT = 10_000


@dataclass
class TokenBucket:
    """`per_second` tokens flow in, at most `burst` are held; it starts full."""

    per_second: float
    burst: float
    tokens: float
    at: float

    def take(self, now: float) -> float:
        """Takes a token and returns 0, or the seconds until there is one (and takes none)."""
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.at) * self.per_second)
        self.at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.per_second


@dataclass(frozen=True)
class Quota:
    """How much may pass."""

    global_per_second: float = 1000.0
    global_burst: float = 1000.0
    client_per_second: float = 50.0
    client_burst: float = 100.0


class RateLimiter:
    """One bucket a client, asked first, and one for all: who is over his own takes nothing from the others."""

    def __init__(self, quota: Quota) -> None:
        self._lock = threading.Lock()
        self.configure(quota)

    def configure(self, quota: Quota) -> None:
        """Starts anew with full buckets."""
        with self._lock:
            self.quota = quota
            self._all = TokenBucket(quota.global_per_second, quota.global_burst, quota.global_burst, 0.0)
            self._clients: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, client: str, now: float) -> tuple[str, float]:
        """('', 0) when the request may pass, else the scope that refuses and the seconds to wait."""
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
            if len(self._clients) > CLIENTS_KEPT:
                self._clients.popitem(last=False)
        else:
            self._clients.move_to_end(client)
        return bucket
