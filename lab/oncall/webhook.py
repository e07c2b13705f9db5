"""Parses Alertmanager's webhook, alert by alert.

A malformed alert still becomes a page: its valid parts are kept, placeholders replace the others, and the page's
description quotes the alert as received. Losing an alert is worse than showing an odd one.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

from lab.clients.times import epoch_seconds, utc_text
from lab.errors import UsageError
from lab.plaintext import plain

VERSION = "4"
# The alertname of an alert without a valid one.
PLACEHOLDER = "UnreadableAlert"
# An alert of unknown urgency is treated as urgent.
PLACEHOLDER_SEVERITY = "page"
NAME_LIMIT = 200
LABEL_LIMIT = 1_000
ANNOTATION_LIMIT = 4_000
RAW_LIMIT = 4_000
MAX_TEXTS = 100
# A larger number of alerts left out is shown as this one.
MAX_LEFT_OUT = 1_000_000_000
_LONGEST_INTEGER = 400


@dataclass(frozen=True)
class Notice:
    """One alert of a notification. `starts_at` and `ends_at` are normalised UTC strings; `ends_at` only when resolved.

    `flaws` has one phrase for each malformed part; empty for an alert as Alertmanager sends it.
    """

    fingerprint: str
    status: str
    starts_at: str
    ends_at: str | None
    labels: dict[str, str]
    annotations: dict[str, str]
    flaws: tuple[str, ...] = ()


@dataclass(frozen=True)
class Notification:
    """One webhook body. `truncated` is the number of alerts that Alertmanager left out; `group` its group key."""

    notices: list[Notice]
    truncated: int
    group: str
    version: str


def read(body: bytes) -> Any:
    """The JSON value of a webhook body. Raises UsageError when it is not JSON."""
    try:
        return json.loads(body.decode("utf-8", "replace"), parse_int=_integer)
    except ValueError as error:
        raise UsageError(f"the webhook body is not JSON: {error}") from error
    except RecursionError as error:
        raise UsageError("the webhook body is not a notification: it is nested too deeply") from error


def parse(payload: Any) -> Notification:
    """The notification in a decoded webhook body. Raises UsageError only when it has no list of alerts."""
    if not isinstance(payload, dict):
        raise UsageError("the webhook body is not a JSON object")
    alerts, truncated = payload.get("alerts"), payload.get("truncatedAlerts")
    left_out = min(truncated, MAX_LEFT_OUT) if isinstance(truncated, int) and truncated > 0 else 0
    if not isinstance(alerts, list) or not (alerts or left_out):
        raise UsageError("the webhook has no list of alerts")
    return Notification(
        [_notice(alert, f"alerts[{index}]") for index, alert in enumerate(alerts)],
        left_out,
        plain(str(payload.get("groupKey", "")), NAME_LIMIT),
        plain(str(payload.get("version", "")), NAME_LIMIT),
    )


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits


def _notice(alert: Any, where: str) -> Notice:
    flaws: list[str] = []
    fields = alert if isinstance(alert, dict) else {}
    if fields is not alert:
        flaws.append(f"{where} is not an object")
    labels = _texts(fields.get("labels"), f"{where}.labels", LABEL_LIMIT, flaws)
    annotations = _texts(fields.get("annotations") or {}, f"{where}.annotations", ANNOTATION_LIMIT, flaws)
    status = fields.get("status")
    if status not in ("firing", "resolved"):
        flaws.append(f"{where}.status must be firing or resolved")
        status = "firing"
    fingerprint = fields.get("fingerprint")
    if not isinstance(fingerprint, str) or not fingerprint.strip():
        flaws.append(f"{where}.fingerprint is missing")
        fingerprint = _digest(labels or alert)
    starts_at = _instant(fields.get("startsAt"), f"{where}.startsAt", flaws)
    ends_at = _instant(fields.get("endsAt"), f"{where}.endsAt", flaws) if status == "resolved" else None
    if not _is_text(fields.get("labels"), "alertname"):
        flaws.append(f"{where}.labels has no alertname")
        labels["alertname"] = PLACEHOLDER
    if flaws:
        labels.setdefault("severity", PLACEHOLDER_SEVERITY)
        annotations = _explained(annotations, flaws, alert)
    return Notice(plain(fingerprint, NAME_LIMIT), status, starts_at, ends_at, labels, annotations, tuple(flaws))


def _is_text(labels: Any, name: str) -> bool:
    value = labels.get(name) if isinstance(labels, dict) else None
    return isinstance(value, str) and bool(value.strip())


def _texts(value: Any, where: str, limit: int, flaws: list[str]) -> dict[str, str]:
    if not isinstance(value, dict):
        flaws.append(f"{where} is not an object")
        return {}
    if len(value) > MAX_TEXTS:
        flaws.append(f"{where} has {len(value)} entries, of which {MAX_TEXTS} are kept")
    texts = {}
    for name, text in list(value.items())[:MAX_TEXTS]:
        if not isinstance(text, str):
            flaws.append(f"{where}.{plain(name, NAME_LIMIT)} is not a string")
            text = _raw(text)
        texts[plain(name, NAME_LIMIT)] = plain(text, limit)
    return texts


def _instant(value: Any, where: str, flaws: list[str]) -> str:
    try:
        return utc_text(epoch_seconds(str(value)))
    except UsageError as error:
        flaws.append(f"{where}: {error}")
        return utc_text(time.time())


def _explained(annotations: dict[str, str], flaws: list[str], alert: Any) -> dict[str, str]:
    """The annotations of a malformed alert: its own, with its flaws and the raw alert added to the description."""
    reason = plain(f"The pager could not read this alert in full: {'; '.join(flaws)}.", RAW_LIMIT)
    raw = f"As received: {plain(_raw(alert), RAW_LIMIT)}"
    own = annotations.get("description", "")
    return {
        **annotations,
        "summary": annotations.get("summary") or "An alert that the pager could not read in full",
        "description": "\n".join(filter(None, (own, reason, raw))),
    }


def _raw(value: Any, *, sort_keys: bool = False) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=sort_keys)
    except (RecursionError, ValueError):
        return "(nested too deeply to show)"


def _digest(value: Any) -> str:
    """A fingerprint for an alert without one, so that its later notices find its page."""
    return "pager:" + hashlib.sha256(_raw(value, sort_keys=True).encode("utf-8", "replace")).hexdigest()[:16]
