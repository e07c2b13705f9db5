"""Resolves pages whose end Alertmanager could not report, because its notification was truncated.

A notification holds at most `max_alerts` alerts. The last one of a group, which says that all have ended, is cut like
any other, and no later one follows. So while a page about left-out alerts is open, Alertmanager is asked what it holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from lab.clients.times import utc_text
from lab.errors import LabError
from lab.oncall import own_pages
from lab.oncall.intake import TRUNCATED
from lab.oncall.store import Store
from lab.telemetry.logs import get as get_log

PERIOD_SECONDS = 10.0


class Reconciliation:
    """Compares the open pages with Alertmanager's alerts, which `active_alerts` returns (see clients.alertmanager)."""

    def __init__(
        self, store: Store, active_alerts: Callable[[], dict[str, bool]], clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._active_alerts = active_alerts
        self._clock = clock
        self._due = 0.0

    def check(self) -> int:
        """Every PERIOD_SECONDS while alerts are left out: resolve the pages of ended alerts; returns their number."""
        now = self._clock()
        if now < self._due:
            return 0
        # Read before Alertmanager is asked: a page that arrives meanwhile is not judged by an older answer.
        opened = self._store.open_fingerprints()
        truncated = {one for one in opened if one.startswith(own_pages.fingerprint(TRUNCATED))}
        if not truncated:
            return 0
        self._due = now + PERIOD_SECONDS
        try:
            active = self._active_alerts()
        except LabError as error:  # asked again after the period
            get_log().warning("pages not compared with the active alerts", reason=str(error))
            return 0
        ended = {one for one in opened if not own_pages.is_own(one)} - active.keys()
        if opened >= {one for one, paged in active.items() if paged}:  # none is left out any more
            ended |= truncated
        resolved = self._store.resolve(ended, utc_text(now))
        if resolved:
            get_log().info("pages of ended alerts resolved", pages=resolved)
        return resolved
