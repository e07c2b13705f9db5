"""The record of an incident: the evidence as one JSON document with a published schema."""

from __future__ import annotations

import json
import os
import platform
import re
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema

from lab.atomic_write import write_text
from lab.clients.times import epoch_seconds, utc_text
from lab.control.lab_clients import LabClients
from lab.drills.evidence import collect, counts, definitions, milestones
from lab.drills.evidence.definitions import PEOPLE
from lab.drills.evidence.signals import sample, signals
from lab.drills.grading.verdict import Facts, grade
from lab.drills.pipeline import alertmanager_version, read_pipeline
from lab.drills.run.incident import Incident
from lab.drills.schema import RECORD_SCHEMA
from lab.errors import LabError, UsageError
from lab.paths import ROOT, Home
from lab.slo.catalogue import find_slo

SCHEMA_NAME = "fleetops.record/v2"
BEFORE_SECONDS = 30
AFTER_SECONDS = 30
PREVIEW = "feed-latency-p99"  # whose burn rate a control shows
KEPT = 50
BAD_REQUEST = 2
SHOWN = 160  # characters of what is wrong with a document, which may quote all of it
_NUMBERS = re.compile(r"\[\n\s*(?:(?:-?[\d.]+(?:e[-+]?\d+)?|null),?\s*)+\]")


def build(incident: Incident) -> dict[str, Any]:
    """Everything that is known about the incident, graded and valid by the schema."""
    focus = incident.slo or find_slo(PREVIEW)
    start, end = incident.t0 - BEFORE_SECONDS, min(time.time(), incident.ended_at + AFTER_SECONDS)
    sampled = [sample(incident.clients.prometheus, signal, incident.t0, start, end) for signal in signals(focus)]
    fired = collect.alerts(incident)
    counted = counts.read(incident.clients.prometheus, incident.windows, incident.t0, end)
    found = milestones.read(incident, sampled)
    milestones.put_on_timeline(incident, found, counted)
    spent = collect.budget(incident, counted)
    checks = grade(incident.drill, incident.prediction, facts(incident, found, fired))
    failed = [check for check in checks if not check.passed]
    starved = collect.starved(incident, start)
    pages = [page for page in incident.clients.pager.pages() if epoch_seconds(page["received_at"]) >= incident.t0]
    slow = next((signal.objective for signal in signals(focus) if signal.name == "feed_p99_seconds"), None)
    document = {
        "schema": SCHEMA_NAME,
        "drill": {
            "id": incident.drill.id,
            "title": incident.drill.title,
            "trigger": incident.drill.trigger,
            "severity": incident.drill.severity,
            "fault": incident.drill.fault_kind,
            "component": incident.drill.component,
        },
        "lab": _lab(incident),
        "responder": incident.responder,
        "started_at": utc_text(incident.started_at),
        "t0": utc_text(incident.t0),
        "ended_at": utc_text(incident.ended_at),
        "inputs": incident.inputs,
        "prediction": incident.prediction.as_json() if incident.prediction else None,
        "durations": definitions.durations(found, incident.ended_at - incident.started_at),
        "timeline": sorted(incident.timeline, key=lambda row: float(row["t_seconds"])),
        "alerts": fired,
        "pages": pages[::-1],
        "actions": [row for row in incident.actions() if epoch_seconds(row["at"]) <= incident.ended_at],
        "runbook": incident.runbook,
        "counts": counted,
        "signals": sampled,
        "logs": collect.sampled_logs(incident, slow or 0.4) if incident.slo else [],
        "users": collect.users(incident),
        "budget": spent,
        "verdict": {
            "passed": not failed and not starved,
            "void": bool(starved),
            "why": starved or "; ".join(f"{check.name}: {check.detail}" for check in failed),
            "checks": [{"name": c.name, "passed": c.passed, "detail": c.detail} for c in checks],
        },
    }
    document = dict(portable(document, incident.clients.home.path))
    validate(document)
    return document


def portable(value: Any, home: Path) -> Any:
    """The document without addresses of this machine: the state directory is `.lab`, the checkout is nothing."""
    if isinstance(value, dict):
        return {key: portable(inner, home) for key, inner in value.items()}
    if isinstance(value, list):
        return [portable(inner, home) for inner in value]
    return value.replace(str(home), ".lab").replace(f"{ROOT}/", "") if isinstance(value, str) else value


def validate(document: Any) -> None:
    """LabError names the first place where `document` is not as the schema says."""
    version = document.get("schema") if isinstance(document, dict) else None
    if version != SCHEMA_NAME:
        raise LabError(f"/schema: is {version!r}, this lab reads {SCHEMA_NAME!r}; record the drill again")
    errors = sorted(_validator().iter_errors(document), key=lambda error: list(map(str, error.absolute_path)))
    if errors:
        error = jsonschema.exceptions.best_match(errors[:1])
        place, why = "/".join(map(str, error.absolute_path)), error.message
        why = why if len(why) <= SHOWN else f"{why[: SHOWN // 2]} … {why[-SHOWN // 2 :]}"
        raise LabError(f"/{place}: {why} (not a {SCHEMA_NAME} document)")


def write(document: dict[str, Any], file: Path) -> None:
    """Write the record whole or not at all."""
    validate(document)
    try:
        write_text(file, as_text(document))
    except OSError as error:
        raise UsageError(f"cannot write the record to {file}: {error.strerror}") from error


def as_text(document: dict[str, Any]) -> str:
    """The document as JSON with one key a line, and each list of numbers on one line."""
    text = json.dumps(document, indent=1)
    return _NUMBERS.sub(lambda found: "".join(found[0].split()), text) + "\n"


def keep(document: dict[str, Any], home: Home) -> Path:
    """Keep the record of a run in the state directory; the oldest of more than KEPT go."""
    stamp = document["started_at"].replace("-", "").replace(":", "").partition(".")[0]
    file = folder(home) / f"{document['drill']['id']}-{stamp}Z.json"
    write(document, file)
    for old in sorted(file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        old.unlink()
    return file


def folder(home: Home) -> Path:
    """Where the records of this lab's own runs lie."""
    return home.data / "incidents"


def read(file: Path) -> dict[str, Any]:
    """A record; LabError, with the file's name, when it cannot be read, is damaged or not one."""
    try:
        document = json.loads(file.read_text())
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise LabError(f"{file} is damaged ({error}); run the drill again") from error
    try:
        validate(document)
    except LabError as error:
        raise LabError(f"{file}: {error}") from None
    return dict(document)


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(RECORD_SCHEMA.read_text()))


def facts(incident: Incident, found: milestones.Instants, fired: list[dict[str, Any]]) -> Facts:
    """What the grading goes by: the graded instants, the alerts that the incident raised, how it ended."""
    raised = {(row["name"], row["severity"]) for row in fired if row["t_seconds"] >= 0}
    raised |= {
        (one["alertname"], one["severity"])
        for one in incident.notices()
        if epoch_seconds(one["starts_at"]) >= incident.t0
    }
    return Facts(
        page=incident.page["alertname"] if incident.page else None,
        page_at=found["page"],
        acked_at=found["ack"],
        fired=frozenset(raised),
        runbook_expected=incident.responder not in PEOPLE,
        branch=incident.branch,
        invalid_commands=tuple(r["command"] for r in incident.runbook if r["exit_status"] == BAD_REQUEST),
        recovered_at=found["recovered"],
        resolved_at=_resolved_at(incident, found),
        overdue=incident.overdue,
        held=incident.held,
        restored=incident.restored(incident.ended_at),
        down=collect.down_targets(incident),
        actors=tuple(sorted({row["actor"] for row in incident.responder_actions()})),
    )


def _resolved_at(incident: Incident, found: milestones.Instants) -> float | None:
    """When the alert was over; None when it fired on, or again, at the end."""
    over = incident.page is not None and incident.page["status"] == "resolved"
    return found["resolved"] if over else None


def _lab(incident: Incident) -> dict[str, Any]:
    clients: LabClients = incident.clients
    pipeline = read_pipeline(clients)
    return {
        "factor": incident.windows.time_factor,
        "scrape_interval_seconds": pipeline.scrape_interval_seconds,
        "evaluation_interval_seconds": pipeline.evaluation_interval_seconds,
        "group_wait_seconds": pipeline.group_wait_seconds,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "versions": {
            "fleetops-lab": version("fleetops-lab"),
            "python": platform.python_version(),
            "prometheus": clients.prometheus.version(),
            "alertmanager": alertmanager_version(clients),
        },
    }
