"""A fictitious record for tests, valid by the schema and fresh by its hashes. No committed page uses its numbers."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from lab.clients.documents import as_builtins
from lab.drills.evidence import burn_replay, definitions
from lab.drills.evidence.signals import signals
from lab.drills.schema.measurements import SloCounts
from lab.drills.spec.drill import find
from lab.paths import ROOT
from lab.slo.catalogue import LAB, find_slo, load_specs, load_windows
from lab.slo.model import Slo
from lab.slo.replay import Counts

ZERO = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
INSTANTS = {
    "inject": 0.0, "sli_bad": 6.0, "firing": 24.2, "page": 25.4, "ack": 25.9, "diagnosis": 27.0, "action": 27.6,
    "recovered": 33.0, "resolved": 36.0, "held": 66.0,
}  # fmt: skip
BY = {"inject": "deploy-pipeline", "firing": "prometheus", "page": "alertmanager", "ack": "autopilot"}
BEFORE, AFTER = 30, 90


def at(seconds: float) -> str:
    """An instant in the record's format."""
    return (ZERO + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def values(name: str) -> list[float | None]:
    """Plausible values: low, high between injection and recovery, low again; two samples are missing."""
    low, high = (0.012, 0.9) if "p99_seconds" in name else (0.001, 0.48) if "ratio" in name else (0.0, 48.0)
    if name == "requests_per_second":
        low, high = 80.0, 79.0
    row: list[float | None] = []
    for second in range(-BEFORE, AFTER):
        share = max(0.0, min(1.0, (second - 4) / 12, (35 - second) / 4))
        row.append(round(low + (high - low) * share + low * 0.2 * math.sin(second), 5))
    row[20] = row[21] = None
    return row


def counts(slo: Slo, sloth_id: str) -> dict[str, Any]:
    """Events of an SLO. If it is `slo`, 39 of 80 per second are bad from second 6 to 33, so it pages from 24 to 36."""
    total = [80] * (BEFORE + AFTER)
    bad = [39 if sloth_id == slo.sloth_id and 6 <= second <= 33 else 0 for second in range(-BEFORE, AFTER)]
    return {
        "start_seconds": -BEFORE, "step_seconds": 1, "total_events": sum(total), "bad_events": sum(bad), "total": total,
        "bad": bad,
    }  # fmt: skip


def budget(counted: dict[str, Any]) -> dict[str, Any]:
    """The spending of each error budget, from the counts."""
    spending = {}
    for sloth_id, row in counted.items():
        events = Counts(row["total"], row["bad"], row["start_seconds"])
        spent = definitions.budget(events, AFTER, find_slo(sloth_id), load_windows(LAB).period_seconds)
        spending[sloth_id] = as_builtins(spent)
    return spending


def record() -> dict[str, Any]:
    """The record as a JSON document."""
    drill = find("INC-001")
    slo = find_slo(drill.effect.slo if drill.effect else "")
    counted = {spec.sloth_id: counts(slo, spec.sloth_id) for spec in load_specs()}
    pointers = {"page": "/pages/0", "action": "/actions/0"}
    row = SloCounts(**counted[slo.sloth_id])
    events = Counts(row.total, row.bad, row.start_seconds)
    fired = burn_replay.stated(events, slo, load_windows(LAB), "page", INSTANTS["firing"])
    timeline = [
        {
            "at": at(seconds), "t_seconds": seconds, "kind": kind, "title": f"Made up: {kind}",
            "detail": fired if kind == "firing" else "Only a test.",
            "by": BY.get(kind, "prometheus"),
            "evidence": {"pointer": pointers[kind]} if kind in pointers else {"query": 'up{job="feed"}'},
        }
        for kind, seconds in INSTANTS.items()
    ]  # fmt: skip
    texts = (
        "status", "alertname", "severity", "service", "slo", "summary", "description", "runbook_url", "dashboard_url",
        "fingerprint",
    )  # fmt: skip
    page: dict[str, Any] = dict.fromkeys(texts, "made up") | {
        "alertname": "FeedLatencyP99Burn", "severity": "page", "id": 1, "labels": {},
        "annotations": {"description": f"{fired.split()[2]} of the events are bad."},
        "starts_at": at(24.2), "received_at": at(25.4), "resolved_at": at(36), "acked_at": at(25.9),
        "acked_by": "autopilot", "escalated_at": None, "escalated_to": None,
    }  # fmt: skip
    return {
        "schema": "fleetops.record/v2",
        "drill": {
            "id": drill.id, "title": drill.title, "trigger": drill.trigger, "component": drill.component,
            "severity": drill.severity, "fault": drill.fault_kind,
        },
        "lab": {
            "factor": load_windows(LAB).time_factor,
            "scrape_interval_seconds": 1, "evaluation_interval_seconds": 1,
            "group_wait_seconds": 1, "cores": 2, "versions": {"prometheus": "0.0.0-made-up"},
        },
        "responder": "autopilot",
        "started_at": at(-60),
        "t0": at(0),
        "ended_at": at(AFTER),
        "inputs": {drill.file.relative_to(ROOT).as_posix(): f"sha256:{sha256(drill.file.read_bytes()).hexdigest()}"},
        "prediction": {
            "alert": "FeedLatencyP99Burn", "severity": "page", "detection_seconds": 22.3, "allowance_seconds": 4.0,
            "tolerance_ratio": 1.0, "bound": False, "tier": "page.quick", "bad_ratio": 0.485, "effect_seconds": 5.6,
            "arithmetic": ["b = 1 - 0.99 = 0.01", "L k b / e = 60 x 14.4 x 0.01 / 0.5 = 17.3 s"],
        },
        "durations": {
            "detection_seconds": 24.2, "page_seconds": 25.4, "mtta_seconds": 0.5, "diagnosis_seconds": 1.6,
            "mttm_seconds": 27.6, "mttr_seconds": 33.0, "resolved_seconds": 36.0, "run_seconds": 150.0,
        },
        "timeline": timeline,
        "alerts": [
            {
                "name": "FeedLatencyP99Burn", "severity": "page", "service": "feed", "starts_at": at(24.2),
                "ends_at": at(36), "t_seconds": 24.2, "labels": {"sloth_id": slo.sloth_id},
            }
        ],
        "pages": [page],
        "actions": [
            {
                "id": "a1", "at": at(27.6), "actor": "autopilot", "action": "canary weight", "target": "gateway",
                "old": 50, "new": 0, "outcome": "done", "reason": "",
            }
        ],
        "runbook": [
            {
                "branch": "1. Is it the canary?", "step": "check", "command": "fleetops triage feed --canary-slower",
                "exit_status": 0, "output": "canary <b>slower</b>", "t_seconds": 26.5, "duration_seconds": 0.4,
            }
        ],
        "counts": counted,
        "signals": [
            {
                "name": signal.name, "title": signal.title, "query": signal.query, "unit": signal.unit,
                "objective": signal.objective, "start_seconds": -BEFORE, "step_seconds": 1,
                "values": values(signal.name),
            }
            for signal in signals(slo)
        ],
        "logs": [
            {"ts": at(10), "service": "gateway", "instance": "gateway", "event": "request", "trace_id": "00" * 16}
        ],
        "users": {"asked": 900, "hit": 410},
        "budget": budget(counted),
        "verdict": {
            "passed": True, "void": False, "why": "",
            "checks": [{"name": "page_arrived", "passed": True, "detail": "made up"}],
        },
    }  # fmt: skip
