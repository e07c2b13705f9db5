"""Pages, audit rows and alert spans for tests: what a test does not name is plausible."""

from __future__ import annotations

from typing import Any

from lab.clients.documents import AuditRow, Page, as_builtins
from lab.drills.schema.record import AlertSpan

AT = "2026-01-02T03:04:05.000Z"
PAGE: dict[str, Any] = {
    "id": 7, "fingerprint": "f", "status": "firing", "alertname": "FeedLatencyP99Burn", "severity": "page",
    "service": "feed", "slo": "latency-p99", "summary": "Feed requests are slow", "description": "", "runbook_url": "",
    "dashboard_url": "", "labels": {}, "annotations": {}, "starts_at": AT, "received_at": AT, "resolved_at": None,
    "acked_at": None, "acked_by": None,
}  # fmt: skip
ROW: dict[str, Any] = {
    "id": "1", "at": AT, "actor": "ada", "action": "canary weight", "target": "gateway", "old": None, "new": None,
    "outcome": "done", "reason": "",
}  # fmt: skip
SPAN: dict[str, Any] = {
    "name": "FeedLatencyP99Burn", "severity": "page", "service": "feed", "starts_at": AT, "ends_at": None,
    "t_seconds": 0.0, "labels": {},
}  # fmt: skip


def page(**fields: Any) -> Page:
    """A page that fires, unacknowledged, with these fields."""
    return Page(**(PAGE | fields))


def page_json(**fields: Any) -> dict[str, Any]:
    """The same as the pager's API gives it."""
    return dict(as_builtins(page(**fields)))


def audit_row(**fields: Any) -> AuditRow:
    """A canary weight that was set, with these fields."""
    return AuditRow(**(ROW | fields))


def audit_rows(rows: Any) -> list[AuditRow]:
    """Rows as the pager got them."""
    return [AuditRow(**row) for row in rows]


def span(**fields: Any) -> AlertSpan:
    """An alert that fires, with these fields."""
    return AlertSpan(**(SPAN | fields))
