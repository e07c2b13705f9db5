"""The pager's HTTP API: Alertmanager's webhook, pages and their acknowledgement, the audit log, and an HTML inbox."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Iterable
from typing import NoReturn

from flask import Blueprint, Flask, Response, abort, jsonify, render_template, request
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lab import names
from lab.clients.documents import OUTCOMES, AuditRow, as_builtins
from lab.clients.times import epoch_seconds, utc_text
from lab.errors import UsageError
from lab.oncall import deadman, webhook
from lab.oncall.intake import BEGINNING_BYTES, MAX_BYTES, Intake
from lab.oncall.store import Store
from lab.plaintext import plain, plain_json
from lab.telemetry.body import JsonObject, json_body
from lab.telemetry.logs import get as get_log
from lab.telemetry.web import new_app

TEXT_LIMIT = 500
MAX_BODY_BYTES = 1024 * 1024  # for every request but a notification
SEVERITIES = frozenset({"page", "ticket"})


def create_app(store: Store, switch: deadman.DeadMansSwitch, intake: Intake | None = None) -> Flask:
    """The app over one store, its dead-man's switch and its intake. The caller attaches telemetry and authentication.

    `intake` defaults to one over the same store, whose metrics are not exported.
    """
    app = new_app("lab.oncall", max_body_bytes=MAX_BODY_BYTES)
    intake = intake or Intake(store)
    app.register_blueprint(_pages(store))
    app.register_blueprint(_notifications(switch, intake))
    app.register_blueprint(_audit(store))
    app.register_error_handler(sqlite3.Error, _store_failed)
    return app


def _store_failed(error: Exception) -> tuple[dict[str, str], int]:
    """Answer 503, which makes Alertmanager retry: a request that was not stored never gets a 200."""
    get_log().error("store failed", reason=str(error))
    return {"error": f"the pager's store failed: {error}; `fleetops status` shows whether the disk is full"}, 503


def _pages(store: Store) -> Blueprint:
    routes = Blueprint("pages", __name__)
    log = get_log()

    @routes.get("/")
    def inbox() -> Response:
        pages = store.pages(limit=100)
        html = render_template("inbox.html", pages=pages, audit=reversed(store.audit(last=50)), link=_safe_link)
        response = Response(html, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @routes.get("/api/pages")
    def pages() -> Response:
        state = request.args.get("state", "all")
        if state not in ("all", "open"):
            raise UsageError(f"state {state[:40]!r} must be open or all")
        pages = store.pages(only_open=state == "open")
        listed = sum(page.resolved for page in pages)
        return jsonify(
            pages=as_builtins(pages), resolved_left_out=0 if state == "open" else store.resolved_pages() - listed
        )

    @routes.get("/api/pages/<id:page_id>")
    def page(page_id: int) -> Response:
        stored = store.page(page_id)
        if stored is None:
            _no_page(page_id)
        return jsonify(as_builtins(stored))

    @routes.post("/api/pages/<id:page_id>/ack")
    def ack(page_id: int) -> Response:
        result = store.ack(page_id, _text(json_body(), "by"))
        if result is None:
            _no_page(page_id)
        acked, first = result
        log.info("page acknowledged", page=acked.id, by=acked.acked_by, first=first)
        return jsonify({**as_builtins(acked), "acked_by_this_call": first})

    @routes.post("/api/pages/close")
    def close() -> Response:
        before = utc_text(epoch_seconds(_text(json_body(), "before")))
        return jsonify(closed=store.close_left_open(before))

    return routes


def _no_page(page_id: int) -> NoReturn:
    abort(404, f"no page {page_id}; list them with 'fleetops page list'")


def _notifications(switch: deadman.DeadMansSwitch, intake: Intake) -> Blueprint:
    routes = Blueprint("notifications", __name__)

    @routes.post("/alertmanager")
    def receive() -> Response:
        size = request.content_length or 0
        if size > MAX_BYTES:
            request.max_content_length = size
            abort(413, intake.refuse(size, request.stream.read(BEGINNING_BYTES)))
        request.max_content_length = MAX_BYTES
        return jsonify(intake.receive(request.get_data(cache=False)))

    @routes.post("/watchdog")
    def heartbeat() -> Response:
        notification = webhook.parse(webhook.read(request.get_data()))
        if not any(_is_watchdog(notice) for notice in notification.notices):
            raise UsageError(f"no firing {deadman.ALERT} in this notification; other alerts go to /alertmanager")
        switch.heartbeat()
        intake.resolve_refused()
        return jsonify(received=len(notification.notices))

    return routes


def _is_watchdog(notice: webhook.Notice) -> bool:
    return notice.labels["alertname"] == deadman.ALERT and notice.status == "firing" and not notice.flaws


def _audit(store: Store) -> Blueprint:
    routes = Blueprint("audit", __name__)

    @routes.get("/api/audit")
    def audit() -> Response:
        since, last = request.args.get("since", ""), request.args.get("last", "")
        if last and not (last.isascii() and last.isdigit() and 0 < len(last) < 10):
            raise UsageError(f"last {last[:40]!r} must be a number of rows")
        rows = store.audit(utc_text(epoch_seconds(since)) if since else "", int(last) if last else None)
        return jsonify(audit=as_builtins(rows))

    @routes.post("/api/audit")
    def record() -> Response:
        body = json_body(keep_surrogates=True)
        at = body.get("at")
        outcome = _text(body, "outcome")
        if outcome not in OUTCOMES:
            raise UsageError(f"outcome {outcome!r} must be one of {', '.join(OUTCOMES)}")
        row = AuditRow(
            id=_text(body, "id") if "id" in body else uuid.uuid4().hex,
            at=utc_text(time.time() if at is None else epoch_seconds(str(at))),
            actor=_text(body, "actor"),
            action=_text(body, "action"),
            target=_text(body, "target"),
            old=plain_json(body.get("old")),
            new=plain_json(body.get("new")),
            outcome=outcome,
            reason=plain(str(body.get("reason") or ""), TEXT_LIMIT),
        )
        return jsonify(as_builtins(store.record(row)))

    return routes


class PageCounts(Collector):
    """The pages in the store, counted at each scrape."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def collect(self) -> Iterable[Metric]:
        """Pages by severity, status, and whether they were acknowledged and escalated."""
        counts: dict[tuple[str, str, str, str], int] = {}
        for severity, status, acked, escalated, number in self.store.counts():
            # An alert's labels are untrusted input: an unknown severity must not create a series.
            key = (severity if severity in SEVERITIES else "other", status, str(acked).lower(), str(escalated).lower())
            counts[key] = counts.get(key, 0) + number
        labels = ["severity", "status", "acked", "escalated"]
        gauge = GaugeMetricFamily(names.PAGER_PAGES, "Pages in the store.", labels=labels)
        for key, number in sorted(counts.items()):
            gauge.add_metric(key, number)
        yield gauge


def _text(body: JsonObject, key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value.strip() or len(value) > TEXT_LIMIT:
        raise UsageError(f"{key!r} must be a string of 1 to {TEXT_LIMIT} characters")
    return plain(value)


def _safe_link(url: str) -> str:
    """`url` if it is an http(s) URL, else "": annotations are untrusted input."""
    return url if url.startswith(("http://", "https://")) else ""
