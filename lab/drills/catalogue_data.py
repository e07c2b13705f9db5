"""What somebody who chooses a drill, or writes one, wants to know: the catalogue and the faults as plain data."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Any

from lab.drills.faults import FAULTS, as_json
from lab.drills.schema.parameters import parameters
from lab.drills.spec.drill import Drill


def row(drill: Drill) -> dict[str, Any]:
    """One drill, all that its file says but the solution: hints, the mistake and the branch are left out."""
    expect, effect = drill.expect, drill.effect
    return {
        "id": drill.id,
        "title": drill.title,
        "trigger": drill.trigger,
        "component": drill.component,
        "severity": drill.severity,
        "faults": [as_json(fault) for fault in drill.faults],
        "load": [as_json(load) for load in drill.load],
        "slo": effect.slo if effect else None,
        "services": list(drill.services),
        "detected_by": {"alert": expect.alert, "severity": expect.severity} if expect.alert else None,
        "must_fire_too": [{"alert": name, "severity": severity} for name, severity in sorted(expect.required())],
        "predicted_by": drill.detection_model.kind if drill.detection_model else None,
        "respond_seconds": drill.limits.respond_seconds,
        "hints": len(drill.hints),
    }


def faults() -> list[dict[str, Any]]:
    """Every fault with its parameters."""
    return [
        {
            "kind": kind,
            "about": (cls.__doc__ or "").strip().split("\n\n")[0].replace("\n", " "),
            "parameters": [
                {
                    "name": name,
                    "shape": parameter.shape,
                    "about": parameter.about,
                    "required": default is MISSING,
                    "default": None if default is MISSING else default,
                }
                for name, parameter, default in parameters(cls)
            ],
        }
        for kind, cls in FAULTS.items()
    ]
