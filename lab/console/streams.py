"""Limits on concurrent event streams. Each holds a thread, so one browser must not get them all."""

from __future__ import annotations

import threading
from collections import Counter

MAX_STREAMS = 12  # of the console's 24 threads; the others serve pages and commands
MAX_STREAMS_PER_CLIENT = 4  # browsers open at most six connections to a host; two stay free for other requests


class Streams:
    """Counts open streams, in total and per client. Safe for concurrent use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    def open(self, client: str) -> str:
        """Counts a new stream of `client` and returns "", or returns why it is refused."""
        with self._lock:
            if self._open[client] >= MAX_STREAMS_PER_CLIENT:
                return f"{MAX_STREAMS_PER_CLIENT} consoles are already open in this browser; close one"
            if self._open.total() >= MAX_STREAMS:
                return f"{MAX_STREAMS} consoles are already open; close one"
            self._open[client] += 1
            return ""

    def close(self, client: str) -> None:
        """Counts a stream of `client` as closed."""
        with self._lock:
            self._open[client] -= 1
            self._open += Counter()  # removes clients without a stream
