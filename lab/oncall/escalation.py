"""Escalation: a page that is not acknowledged in time goes to the secondary on-call, once.

The store keeps the recipient and the time, so a restart of the pager neither loses an escalation nor repeats it: the
first check after a restart escalates the pages that became overdue while the pager was down.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from lab.clients.documents import Page
from lab.clients.times import epoch_seconds, utc_text
from lab.oncall.store import Store
from lab.telemetry.logs import get as get_log

# How long a page may stay unacknowledged after its receipt, in wall-clock time. A person needs this long to wake up,
# find a keyboard and log in, so it is the same in production and in the lab: the factor that shortens the alerts'
# windows (rules/windows/lab.yml) does not apply to people.
AFTER_SECONDS = 300.0
TO = "secondary on-call"
NAMED_IN_LOG = 10  # pages of one check that are logged one by one; the rest of a storm is only counted


class Escalation:
    """Escalates the pages of one store. `clock` returns epoch seconds; tests replace it."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def check(self) -> list[Page]:
        """Escalate every overdue page; returns the pages that this call escalated."""
        now = self._clock()
        escalated = self._store.escalate(TO, utc_text(now), received_by=utc_text(now - AFTER_SECONDS))
        log = get_log()
        for page in escalated[:NAMED_IN_LOG]:
            log.warning(
                "page escalated",
                page=page.id,
                alert=page.alertname,
                to=page.escalated_to,
                unacknowledged_seconds=round(now - epoch_seconds(page.received_at), 1),
            )
        if more := len(escalated[NAMED_IN_LOG:]):
            log.warning("more pages escalated", pages=more, to=TO)
        return escalated
