"""Alertmanager's webhook bodies, in the format it sends."""

from __future__ import annotations

from typing import Any


def alert(name: str = "FeedLatencyP99Burn", **changes: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": name, "severity": "page", "service": "feed", "slo": "latency-p99"},
        "annotations": {"summary": "feed is slow", "runbook_url": f"http://127.0.0.1:8000/03_runbooks/#{name.lower()}"},
        "startsAt": "2026-01-31T12:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://127.0.0.1:8090/graph",
        "fingerprint": f"fp-{name}",
        **changes,
    }


def payload(*alerts: dict[str, Any]) -> dict[str, Any]:
    return {"version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "pager", "alerts": list(alerts)}
