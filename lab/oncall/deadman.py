"""The dead-man's switch: the Watchdog alert always fires, so when it stops arriving the pager raises a page itself.

Nothing else can: whatever is broken between Prometheus and here would have carried the alert that says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.clients.times import utc_text
from lab.oncall import own_pages
from lab.oncall.store import Store
from lab.telemetry.logs import get as get_log

ALERT = "Watchdog"
# Alertmanager repeats the Watchdog about every 6 s (rules/alertmanager.yml); three in a row may not be missing.
SILENT_SECONDS = 20.0
# A lab that starts fetches, seeds and evaluates first. Only after this does silence mean anything.
GRACE_SECONDS = 90.0
# A pager that was itself frozen or starved for this long cannot say who was silent meanwhile.
ABSENT_SECONDS = 5.0


@dataclass(frozen=True)
class Instant:
    """The same moment on two clocks: `monotonic` to measure with, `epoch` (seconds since 1970) to tell."""

    monotonic: float
    epoch: float

    @classmethod
    def now(cls) -> Instant:
        """This moment."""
        return cls(time.monotonic(), time.time())


class DeadMansSwitch:
    """Hears the Watchdog and, checked every second, watches for its absence. `clock` is replaced by tests."""

    def __init__(self, store: Store, console_url: str, clock: Callable[[], Instant] = Instant.now) -> None:
        self._store = store
        self._console_url = console_url
        self._clock = clock
        self._lock = threading.Lock()
        now = clock()
        self._last_check = now.monotonic
        self._silent_at = now.monotonic + GRACE_SECONDS

    def heard(self) -> None:
        """The Watchdog has arrived: the silence, if there was one, is over."""
        with self._lock:
            now = self._clock()
            self._silent_at = now.monotonic + SILENT_SECONDS
            if self._is_open():
                self._write("resolved", utc_text(now.epoch))

    def check(self) -> bool:
        """Raise the page when the Watchdog is overdue and nobody was told; whether it did."""
        with self._lock:
            now = self._clock()
            late, self._last_check = now.monotonic - self._last_check, now.monotonic
            if late > ABSENT_SECONDS:
                self._silent_at = max(self._silent_at, now.monotonic + SILENT_SECONDS)
            if now.monotonic < self._silent_at or self._is_open():
                return False
            self._write("firing", utc_text(now.epoch))
        get_log().error("watchdog is silent", silent_seconds=SILENT_SECONDS)
        return True

    def _is_open(self) -> bool:
        return self._store.open_page(own_pages.fingerprint(ALERT)) is not None

    def _write(self, status: str, at: str) -> None:
        summary = "No alert can reach anybody: the Watchdog is silent"
        description = (
            f"The Watchdog, which always fires, has not arrived for {SILENT_SECONDS:g} s; something"
            " between Prometheus and the pager is broken. The pager raised this page itself."
        )
        told = own_pages.notice(ALERT, status, at, summary, description, console_url=self._console_url, runbook=ALERT)
        self._store.receive([told])
