"""The drills and the faults as documents, for a person who chooses a drill or writes one."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Any

from lab.clients.documents import Document
from lab.drills.faults import FAULTS, as_json
from lab.drills.schema.journal import FaultJson
from lab.drills.schema.parameters import parameters
from lab.drills.spec.drill import Drill


class AlertName(Document, frozen=True, kw_only=True):
    """An alert at one severity."""

    alert: str
    severity: str


class DrillSummary(Document, frozen=True, kw_only=True):
    """A drill without its solution: hints, decoy and runbook branch are left out."""

    id: str
    title: str
    trigger: str
    component: str
    severity: str
    faults: list[FaultJson]
    load: list[FaultJson]
    slo: str | None
    services: list[str]
    detected_by: AlertName | None
    must_fire_too: list[AlertName]
    predicted_by: str | None  # the kind of its detection model
    respond_seconds: float
    hints: int  # their number


class ParameterHelp(Document, frozen=True, kw_only=True):
    """One parameter of a fault. `default` is any JSON value, None if the parameter is required."""

    name: str
    shape: str
    about: str
    required: bool
    default: Any


class FaultHelp(Document, frozen=True, kw_only=True):
    """One fault: its kind, a description and its parameters."""

    kind: str
    about: str
    parameters: list[ParameterHelp]


def summary(drill: Drill) -> DrillSummary:
    """What `fleetops drill list` shows of a drill."""
    expect, effect = drill.expect, drill.effect
    return DrillSummary(
        id=drill.id,
        title=drill.title,
        trigger=drill.trigger,
        component=drill.component,
        severity=drill.severity,
        faults=[as_json(fault) for fault in drill.faults],
        load=[as_json(load) for load in drill.load],
        slo=effect.slo if effect else None,
        services=list(drill.services),
        detected_by=AlertName(alert=expect.alert, severity=expect.severity) if expect.alert else None,
        must_fire_too=[AlertName(alert=name, severity=severity) for name, severity in sorted(expect.required())],
        predicted_by=drill.detection_model.kind if drill.detection_model else None,
        respond_seconds=drill.limits.respond_seconds,
        hints=len(drill.hints),
    )


def faults() -> list[FaultHelp]:
    """Every fault with its parameters."""
    return [
        FaultHelp(
            kind=kind,
            about=(cls.__doc__ or "").strip().split("\n\n")[0].replace("\n", " "),
            parameters=[
                ParameterHelp(
                    name=name,
                    shape=parameter.shape,
                    about=parameter.about,
                    required=default is MISSING,
                    default=None if default is MISSING else default,
                )
                for name, parameter, default in parameters(cls)
            ],
        )
        for kind, cls in FAULTS.items()
    ]
