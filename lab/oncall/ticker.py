"""The pager's clock: runs what must happen without anybody asking, once a second."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable

from lab.telemetry.logs import get as get_log

PERIOD_SECONDS = 1.0


class Ticker:
    """Runs each check every `period_seconds` in one daemon thread. A check that fails does not end it or the others."""

    def __init__(self, *checks: Callable[[], object], period_seconds: float = PERIOD_SECONDS) -> None:
        self._checks = checks
        self._period_seconds = period_seconds
        self._ended = threading.Event()

    def start(self) -> None:
        """Run the checks until `close`."""
        threading.Thread(target=self._run, name="ticker", daemon=True).start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(self._period_seconds):
            for check in self._checks:
                try:
                    check()
                except sqlite3.Error as problem:  # a full disk, say: the next period tries again
                    get_log().error("the page cannot be stored", reason=str(problem))
