"""How many live streams the console serves at once. Each holds a thread, so one browser cannot take them all."""

from __future__ import annotations

import threading
from collections import Counter

STREAMS = 12  # of the console's 24 threads; the rest serve pages and commands
STREAMS_OF_ONE = 4  # a browser opens at most six connections to a host, and the console needs some of them for the rest


class Streams:
    """Counts open streams, in all and of each client."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    def open(self, client: str) -> str:
        """Take a place for `client` and return ""; or say why there is none."""
        with self._lock:
            if self._open[client] >= STREAMS_OF_ONE:
                return f"{STREAMS_OF_ONE} consoles are open in this browser already; close one"
            if self._open.total() >= STREAMS:
                return f"{STREAMS} consoles are open already; close one"
            self._open[client] += 1
            return ""

    def close(self, client: str) -> None:
        """Give the place back."""
        with self._lock:
            self._open[client] -= 1
            self._open += Counter()  # forgets clients without a stream
