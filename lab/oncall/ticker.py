"""Runs the pager's periodic checks, once a second."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable

from lab.telemetry.logs import get as get_log

PERIOD_SECONDS = 1.0


class Ticker:
    """Runs each check every `period_seconds` in one daemon thread. A failed check stops neither it nor the others."""

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
                except sqlite3.Error as error:  # e.g. a full disk; retried in the next period
                    get_log().error("page not stored", reason=str(error))
                except Exception as error:  # noqa: BLE001 - the dead man's switch must outlive a bug in another check
                    get_log().error("check failed", reason=repr(error)[:200])
