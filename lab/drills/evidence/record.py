"""Builds, writes and reads the record of an incident: its evidence as one JSON document with a published schema."""

from __future__ import annotations

import json
import os
import platform
import re
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from lab.atomic_write import write_text
from lab.clients.documents import as_builtins
from lab.clients.times import compact, epoch_seconds, utc_text
from lab.control.lab_clients import LabClients
from lab.drills.evidence import collect, counts, definitions, exemplary
from lab.drills.evidence.definitions import Milestones
from lab.drills.evidence.milestones import put_on_timeline
from lab.drills.evidence.milestones import read as read_milestones
from lab.drills.evidence.signals import FEED_P99, feed_threshold_seconds, sample, signals
from lab.drills.grading.verdict import Facts, grade
from lab.drills.pipeline import alertmanager_version, read_pipeline
from lab.drills.run.incident import Incident
from lab.drills.schema.figures import PEOPLE
from lab.drills.schema.grades import Verdict
from lab.drills.schema.record import (
    NORMAL,
    SCHEMA,
    TELLING,
    AlertSpan,
    DrillFacts,
    ExemplaryTrace,
    LabFacts,
    Record,
    parse,
)  # fmt: skip
from lab.errors import LabError, UsageError
from lab.paths import ROOT, Home
from lab.slo.catalogue import find_slo
from lab.telemetry import json_text

BEFORE_SECONDS = 30
AFTER_SECONDS = 30
KEPT = 50
BAD_REQUEST = 2
_NUMBERS = re.compile(r"\[\n\s*(?:(?:-?[\d.]+(?:e[-+]?\d+)?|null),?\s*)+\]")


def build(incident: Incident) -> Record:
    """The graded record of an incident that has ended. Raises LabError when its evidence is incomplete."""
    focus = incident.slo or find_slo(FEED_P99)
    start, end = incident.t0 - BEFORE_SECONDS, min(time.time(), incident.ended_at + AFTER_SECONDS)
    sampled = [sample(incident.clients.prometheus, signal, incident.t0, start, end) for signal in signals(focus)]
    fired = collect.alerts(incident)
    counted = counts.read(incident.clients.prometheus, incident.windows, incident.t0, end)
    milestones = read_milestones(incident, sampled)
    put_on_timeline(incident, milestones, counted)
    spent = collect.budget(incident, counted)
    checks = grade(incident.drill, incident.prediction, facts(incident, milestones, fired))
    failed = [check for check in checks if not check.passed]
    starved = collect.starved(incident, start)
    pages = [page for page in incident.clients.pager.pages() if epoch_seconds(page.received_at) >= incident.t0]
    passed = not failed and not starved
    traces = exemplary.traces(incident)
    record = Record(
        schema=SCHEMA,
        drill=DrillFacts(
            id=incident.drill.id,
            title=incident.drill.title,
            trigger=incident.drill.trigger,
            severity=incident.drill.severity,
            fault=incident.drill.fault_kind,
            component=incident.drill.component,
        ),
        lab=_lab(incident),
        responder=incident.responder,
        started_at=utc_text(incident.started_at),
        t0=utc_text(incident.t0),
        ended_at=utc_text(incident.ended_at),
        inputs=incident.inputs,
        prediction=incident.prediction,
        durations=definitions.durations(milestones, incident.ended_at - incident.started_at),
        timeline=sorted(incident.timeline, key=lambda row: row.t_seconds),
        alerts=fired,
        pages=pages[::-1],
        actions=[row for row in incident.actions() if epoch_seconds(row.at) <= incident.ended_at],
        runbook=incident.runbook,
        counts=counted,
        signals=sampled,
        logs=collect.sampled_logs(incident, feed_threshold_seconds(), _shown(traces)) if incident.slo else [],
        users=collect.users(incident),
        budget=spent,
        verdict=Verdict(
            passed=passed,
            void=bool(starved),
            why=starved or "; ".join(f"{check.name}: {check.detail}" for check in failed),
            checks=checks,
        ),
        traces=traces or msgspec.UNSET,
    )
    return parse(portable(as_builtins(record), incident.clients.home.path))


def _shown(traces: Sequence[ExemplaryTrace]) -> list[str]:
    """The ids of the telling trace and of the normal one, which a reader compares."""
    return [one.trace.trace_id for one in traces if one.role in (TELLING, NORMAL)]


def portable(value: Any, home: Path) -> Any:
    """A JSON value with paths of this machine made relative: the state directory becomes `.lab`, the checkout ""."""
    if isinstance(value, dict):
        return {key: portable(inner, home) for key, inner in value.items()}
    if isinstance(value, list):
        return [portable(inner, home) for inner in value]
    return value.replace(str(home), ".lab").replace(f"{ROOT}/", "") if isinstance(value, str) else value


def write(record: Record, file: Path) -> None:
    """Write the record atomically. Raises UsageError with the file's name when it cannot be written."""
    try:
        write_text(file, as_text(record))
    except OSError as error:
        raise UsageError(f"cannot write the record to {file}: {error.strerror}") from error


def as_text(record: Record) -> str:
    """The record as JSON with one key per line, and each list of numbers on one line."""
    text = json.dumps(as_builtins(record), indent=1)
    return _NUMBERS.sub(lambda numbers: "".join(numbers[0].split()), text) + "\n"


def keep(record: Record, home: Home) -> Path:
    """Store the record of a run in the state directory, which keeps the latest KEPT; returns its file."""
    stamp = compact(record.started_at.partition(".")[0])
    file = folder(home) / f"{record.drill.id}-{stamp}Z.json"
    write(record, file)
    for old in sorted(file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        old.unlink()
    return file


def folder(home: Home) -> Path:
    """The folder with the records of this lab's own runs."""
    return home.data / "incidents"


def read(file: Path) -> Record:
    """A record from its file. Raises LabError, with the file's name, when it is unreadable, damaged or not a record."""
    try:
        document = json_text.parse(file.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise LabError(f"{file} is damaged ({error}); run the drill again") from error
    try:
        return parse(document)
    except LabError as error:
        raise LabError(f"{file}: {error}") from None


def facts(incident: Incident, milestones: Milestones, fired: list[AlertSpan]) -> Facts:
    """The facts to grade: the milestones, the alerts that the incident raised, and its end."""
    raised = {(row.name, row.severity) for row in fired if row.t_seconds >= 0}
    raised |= {
        (page.alertname, page.severity) for page in incident.notices() if epoch_seconds(page.starts_at) >= incident.t0
    }
    return Facts(
        page=incident.page.alertname if incident.page else None,
        page_at=milestones["page"],
        acked_at=milestones["ack"],
        fired=frozenset(raised),
        runbook_expected=incident.responder not in PEOPLE,
        branch=incident.branch,
        invalid_commands=tuple(step.command for step in incident.runbook if step.exit_status == BAD_REQUEST),
        recovered_at=milestones["recovered"],
        resolved_at=_resolved_at(incident, milestones),
        overdue=incident.overdue,
        held=incident.held,
        restored=incident.restored(incident.ended_at),
        down=collect.down_targets(incident),
        actors=tuple(sorted({row.actor for row in incident.responder_actions()})),
    )


def _resolved_at(incident: Incident, milestones: Milestones) -> float | None:
    """When the alert resolved; None if it fired at the end."""
    return milestones["resolved"] if incident.page is not None and incident.page.resolved else None


def _lab(incident: Incident) -> LabFacts:
    clients: LabClients = incident.clients
    pipeline = read_pipeline(clients)
    return LabFacts(
        factor=incident.windows.time_factor,
        scrape_interval_seconds=pipeline.scrape_interval_seconds,
        evaluation_interval_seconds=pipeline.evaluation_interval_seconds,
        group_wait_seconds=pipeline.group_wait_seconds,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        versions={
            "fleetops-lab": version("fleetops-lab"),
            "python": platform.python_version(),
            "prometheus": clients.prometheus.version(),
            "alertmanager": alertmanager_version(clients),
        },
    )
