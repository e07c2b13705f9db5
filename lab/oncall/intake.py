"""Takes notifications in: what can be read is stored, what did not come whole becomes a page that says so."""

from __future__ import annotations

import hashlib
import threading
import time

from prometheus_client import CollectorRegistry

from lab import names
from lab.clients.times import utc_text
from lab.errors import UsageError
from lab.oncall import own_pages, webhook
from lab.oncall.store import Store
from lab.plaintext import plain
from lab.telemetry.logs import get as get_log
from lab.telemetry.metrics import Counter

# The largest notification that is read: as many alerts as rules/alertmanager.yml allows in one, of 4 KiB each.
MAX_BYTES = 16 * 1024 * 1024
BEGINNING_BYTES = 2000
TRUNCATED = "NotificationTruncated"
REFUSED = "NotificationRefused"
# The alert whose runbook section explains all three.
RUNBOOK = "NotificationsFailing"
# Alertmanager sends a refused notification again every second: silent for this long, it sends it no more.
REFUSED_QUIET_SECONDS = 60.0


class Intake:
    """One pager's intake. Any thread may call; notifications are handled one at a time, so memory holds one of them."""

    def __init__(
        self, store: Store, console_url: str = "http://127.0.0.1:8000", registry: CollectorRegistry | None = None
    ) -> None:
        registry = registry or CollectorRegistry()
        self._store = store
        self._console_url = console_url
        self._lock = threading.Lock()
        self._quiet_at = time.monotonic() + REFUSED_QUIET_SECONDS
        self._unreadable = Counter(
            names.PAGER_UNREADABLE_ALERTS, "Alerts received that could not be read in full.", registry=registry
        )
        self._truncated = Counter(
            names.PAGER_TRUNCATED_ALERTS, "Alerts that Alertmanager left out of its notifications.", registry=registry
        )
        self._refused = Counter(
            names.PAGER_REFUSED_NOTIFICATIONS,
            "Notifications refused.",
            registry=registry,
        )

    def receive(self, body: bytes) -> dict[str, int]:
        """Store a webhook body; how many alerts it held and how many new pages they made. Raises UsageError."""
        with self._lock:
            try:
                told = webhook.parse(webhook.read(body))
            except UsageError:
                self._refused.inc()
                raise
            new = self._store.receive([*(self._with_runbook(one) for one in told.notices), *self._about(told)])
        flawed = [one for one in told.notices if one.flaws]
        self._unreadable.inc(len(flawed))
        self._truncated.inc(told.truncated)
        log = get_log()
        log.info("notification", notices=len(told.notices), new_pages=new, webhook_version=told.version)
        for one in flawed[:10]:
            log.warning("alert cannot be read in full", alert=one.labels["alertname"], flaws="; ".join(one.flaws)[:500])
        if told.truncated:
            log.error("notification truncated", group=told.group, truncated_alerts=told.truncated)
        answer = {"received": len(told.notices), "new_pages": new}
        return answer | ({"truncated_alerts": told.truncated} if told.truncated else {})

    def refuse(self, size_bytes: int, beginning: bytes) -> str:
        """Raise the page about a notification that is too large to read; returns why, in one line."""
        why = f"a notification of {size_bytes} bytes is larger than the {MAX_BYTES} that the pager reads"
        said = (
            f"Alertmanager sent {why}. It was refused: none of its alerts is stored."
            f"\nIt begins: {plain(beginning.decode('utf-8', 'replace'), BEGINNING_BYTES)}"
        )
        with self._lock:
            self._quiet_at = time.monotonic() + REFUSED_QUIET_SECONDS
            self._store.receive([self._own(REFUSED, "firing", "A notification was too large to read", said)])
        self._refused.inc()
        get_log().error("notification refused", size_bytes=size_bytes, limit_bytes=MAX_BYTES)
        return why

    def settle(self) -> None:
        """Resolve the page about a refused notification once Alertmanager has stopped sending it."""
        with self._lock:
            page = self._store.open_page(own_pages.fingerprint(REFUSED))
            if page is not None and time.monotonic() >= self._quiet_at:
                summary, description = page.summary, page.description
                self._store.receive([self._own(REFUSED, "resolved", summary, description)])

    def _about(self, told: webhook.Notification) -> list[webhook.Notice]:
        """The page that says what Alertmanager left out; resolved by the group's next notification that is whole."""
        key = hashlib.sha256(told.group.encode()).hexdigest()[:16]
        if told.truncated:
            said = (
                f"Alertmanager left {told.truncated} alerts out of a notification of {len(told.notices)}, the most that"
                f" one may hold. They are not stored here. Its group: {told.group}"
            )
            return [self._own(TRUNCATED, "firing", f"{told.truncated} alerts were left out", said, key)]
        page = self._store.open_page(own_pages.fingerprint(TRUNCATED, key))
        return [self._own(TRUNCATED, "resolved", page.summary, page.description, key)] if page else []

    def _own(self, name: str, status: str, summary: str, description: str, key: str = "") -> webhook.Notice:
        return own_pages.notice(
            name, status, utc_text(time.time()), summary, description,
            console_url=self._console_url, runbook=RUNBOOK, key=key,
        )  # fmt: skip

    def _with_runbook(self, one: webhook.Notice) -> webhook.Notice:
        """An alert that cannot be read in full has a page to follow, if it brought none."""
        if one.flaws:
            one.annotations.setdefault("runbook_url", f"{self._console_url}/03_runbooks/#{RUNBOOK.lower()}")
        return one
