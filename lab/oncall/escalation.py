"""Escalation: a page that nobody acknowledges in time goes to the second on-call, once.

The store keeps who it went to and when, so a restart of the pager neither loses an escalation nor repeats it: a page
that came of age while the pager was down is escalated by the first check.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from lab.clients.documents import Page
from lab.clients.times import epoch_seconds, utc_text
from lab.oncall.store import Store
from lab.telemetry.logs import get as get_log

# How long a page may wait for its acknowledgement, from its receipt, by the wall clock. It is how long a person needs
# to wake up, find a keyboard and log in, so it is the same in production and in the lab: the factor that shortens the
# alerts' windows (rules/windows/lab.yml) makes nobody faster.
AFTER_SECONDS = 300.0
TO = "secondary on-call"
NAMED_IN_LOG = 10  # pages of one check that get a line of their own; a storm is counted


class Escalation:
    """Escalates the pages of one store. `clock` gives seconds since 1970; tests replace it."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def check(self) -> list[Page]:
        """Escalate every page that has waited too long; the pages that this call escalated."""
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
