"""The dead-man's switch: the Watchdog alert always fires, so when it stops arriving the pager raises a page itself.

Only the pager can do this: an alert about the broken path from Prometheus to the pager would have to travel that path.
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
# Alertmanager repeats the Watchdog about every 6 s (rules/alertmanager.yml), so this is three missed in a row.
SILENT_SECONDS = 20.0
# A starting lab downloads, seeds and evaluates before its first Watchdog: no page before this.
GRACE_SECONDS = 90.0
# After a gap this long between two checks the pager itself was frozen or starved, and may have missed Watchdogs.
ABSENT_SECONDS = 5.0


@dataclass(frozen=True)
class Instant:
    """One moment on two clocks: `monotonic` seconds for intervals, `epoch` seconds for timestamps."""

    monotonic: float
    epoch: float

    @classmethod
    def now(cls) -> Instant:
        """The current time."""
        return cls(time.monotonic(), time.time())


class DeadMansSwitch:
    """Raises a page when the Watchdog stops arriving. `check` runs every second; tests replace `clock`."""

    def __init__(self, store: Store, console_url: str, clock: Callable[[], Instant] = Instant.now) -> None:
        self._store = store
        self._console_url = console_url
        self._clock = clock
        self._lock = threading.Lock()
        now = clock()
        self._last_check = now.monotonic
        self._silent_at = now.monotonic + GRACE_SECONDS

    def heartbeat(self) -> None:
        """Note that the Watchdog arrived, and resolve the switch's page if it is open."""
        with self._lock:
            now = self._clock()
            self._silent_at = now.monotonic + SILENT_SECONDS
            if self._is_open():
                self._write("resolved", utc_text(now.epoch))

    def check(self) -> bool:
        """Raise the page if the Watchdog is overdue and the page is not open yet; returns whether it did."""
        with self._lock:
            now = self._clock()
            late, self._last_check = now.monotonic - self._last_check, now.monotonic
            if late > ABSENT_SECONDS:
                self._silent_at = max(self._silent_at, now.monotonic + SILENT_SECONDS)
            if now.monotonic < self._silent_at or self._is_open():
                return False
            self._write("firing", utc_text(now.epoch))
        get_log().error("watchdog missing", silent_seconds=SILENT_SECONDS)
        return True

    def _is_open(self) -> bool:
        return self._store.open_page(own_pages.fingerprint(ALERT)) is not None

    def _write(self, status: str, at: str) -> None:
        summary = "The alerting path is down: the Watchdog no longer arrives"
        description = (
            f"The Watchdog, which always fires, has not arrived for {SILENT_SECONDS:g} s: the path from Prometheus"
            " to the pager is broken, so no alert can page anybody. The pager raised this page itself."
        )
        notice = own_pages.notice(ALERT, status, at, summary, description, console_url=self._console_url, runbook=ALERT)
        self._store.receive([notice])
