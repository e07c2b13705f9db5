"""Receives notifications: stores their alerts, and raises a page about each notification that is incomplete."""

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

# The largest notification that is parsed: as many alerts as rules/alertmanager.yml allows in one, at 4 KiB each.
MAX_BYTES = 16 * 1024 * 1024
BEGINNING_BYTES = 2000
TRUNCATED = "NotificationTruncated"
REFUSED = "NotificationRefused"
# The alert whose runbook section covers truncated, refused and malformed notifications.
RUNBOOK = "NotificationsFailing"
# Alertmanager retries a refused notification every second: after this long without one it has given up.
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
        """Store a webhook body.

        Returns `received` (alerts), `new_pages` and, if Alertmanager left alerts out, `truncated_alerts`. Raises
        UsageError when the body holds no list of alerts, sqlite3.Error when nothing was stored.
        """
        with self._lock:
            try:
                notification = webhook.parse(webhook.read(body))
            except UsageError:
                self._refused.inc()
                raise
            notices = [self._with_runbook(notice) for notice in notification.notices]
            new = self._store.receive([*notices, *self._about(notification)])
        flawed = [notice for notice in notices if notice.flaws]
        self._unreadable.inc(len(flawed))
        self._truncated.inc(notification.truncated)
        log = get_log()
        log.info("notification", notices=len(notices), new_pages=new, webhook_version=notification.version)
        for notice in flawed[:10]:
            flaws = "; ".join(notice.flaws)[:500]
            log.warning("malformed alert", alert=notice.labels["alertname"], flaws=flaws)
        if notification.truncated:
            log.error("notification truncated", group=notification.group, truncated_alerts=notification.truncated)
        answer = {"received": len(notices), "new_pages": new}
        return answer | ({"truncated_alerts": notification.truncated} if notification.truncated else {})

    def refuse(self, size_bytes: int, beginning: bytes) -> str:
        """Raise the page about a notification that is too large to parse; returns the reason, in one line."""
        reason = f"a notification of {size_bytes} bytes is larger than the {MAX_BYTES} that the pager reads"
        description = (
            f"Alertmanager sent {reason}. It was refused: none of its alerts is stored."
            f"\nIt begins: {plain(beginning.decode('utf-8', 'replace'), BEGINNING_BYTES)}"
        )
        with self._lock:
            self._quiet_at = time.monotonic() + REFUSED_QUIET_SECONDS
            self._store.receive([self._own(REFUSED, "firing", "A notification was too large to read", description)])
        self._refused.inc()
        get_log().error("notification refused", size_bytes=size_bytes, limit_bytes=MAX_BYTES)
        return reason

    def resolve_refused(self) -> None:
        """Resolve the page about a refused notification once Alertmanager has stopped sending it."""
        with self._lock:
            page = self._store.open_page(own_pages.fingerprint(REFUSED))
            if page is not None and time.monotonic() >= self._quiet_at:
                self._store.receive([self._own(REFUSED, "resolved", page.summary, page.description)])

    def _about(self, notification: webhook.Notification) -> list[webhook.Notice]:
        """The page about alerts that Alertmanager left out; the group's next complete notification resolves it.

        If none follows, `reconciliation` does.
        """
        key = hashlib.sha256(notification.group.encode()).hexdigest()[:16]
        if left_out := notification.truncated:
            description = (
                f"Alertmanager left {left_out} alerts out of a notification of {len(notification.notices)}, the most"
                f" that one may hold. They are not stored here. Its group: {notification.group}"
            )
            return [self._own(TRUNCATED, "firing", f"{left_out} alerts were left out", description, key)]
        page = self._store.open_page(own_pages.fingerprint(TRUNCATED, key))
        return [self._own(TRUNCATED, "resolved", page.summary, page.description, key)] if page else []

    def _own(self, name: str, status: str, summary: str, description: str, key: str = "") -> webhook.Notice:
        return own_pages.notice(
            name, status, utc_text(time.time()), summary, description,
            console_url=self._console_url, runbook=RUNBOOK, key=key,
        )  # fmt: skip

    def _with_runbook(self, notice: webhook.Notice) -> webhook.Notice:
        """The notice; a malformed alert without a runbook_url gets one."""
        if notice.flaws:
            notice.annotations.setdefault("runbook_url", f"{self._console_url}/03_runbooks/#{RUNBOOK.lower()}")
        return notice
