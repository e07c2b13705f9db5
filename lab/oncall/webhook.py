"""What Alertmanager's webhook says, checked whole before any of it is believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.errors import UsageError
from lab.oncall.times import epoch_seconds, utc_text

VERSION = "4"


@dataclass(frozen=True)
class Notice:
    """One alert of a notification. `starts_at` and `ends_at` are normalised UTC texts; `ends_at` only when resolved."""

    fingerprint: str
    status: str
    starts_at: str
    ends_at: str | None
    labels: dict[str, str]
    annotations: dict[str, str]


def parse(payload: Any) -> list[Notice]:
    """The notices in a webhook body; UsageError names the first thing in it that is not as Alertmanager sends it."""
    if not isinstance(payload, dict):
        raise UsageError("the webhook body is not a JSON object")
    if payload.get("version") != VERSION:
        raise UsageError(f"webhook version {payload.get('version')!r} is not {VERSION!r}, the one this pager reads")
    alerts = payload.get("alerts")
    if not isinstance(alerts, list) or not alerts:
        raise UsageError("the webhook holds no list of alerts")
    return [_notice(alert, f"alerts[{index}]") for index, alert in enumerate(alerts)]


def _notice(alert: Any, where: str) -> Notice:
    if not isinstance(alert, dict):
        raise UsageError(f"{where} is not an object")
    status = alert.get("status")
    if status not in ("firing", "resolved"):
        raise UsageError(f"{where}.status is {status!r}, neither firing nor resolved")
    fingerprint = alert.get("fingerprint")
    if not isinstance(fingerprint, str) or not fingerprint:
        raise UsageError(f"{where}.fingerprint is missing")
    labels = _texts(alert.get("labels"), f"{where}.labels")
    if not labels.get("alertname"):
        raise UsageError(f"{where}.labels has no alertname")
    return Notice(
        fingerprint=fingerprint,
        status=status,
        starts_at=_instant(alert.get("startsAt"), f"{where}.startsAt"),
        ends_at=_instant(alert.get("endsAt"), f"{where}.endsAt") if status == "resolved" else None,
        labels=labels,
        annotations=_texts(alert.get("annotations", {}), f"{where}.annotations"),
    )


def _texts(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise UsageError(f"{where} is not an object of texts")
    return value


def _instant(value: Any, where: str) -> str:
    try:
        return utc_text(epoch_seconds(str(value)))
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error
