"""Bringing programs back helps those that need it, and nobody else."""

from __future__ import annotations

import pytest

from lab.control.desk import Desk
from lab.drills.faults import Doors
from lab.stack import probes
from lab.stack.programs import Program
from lab.stack.supervision import Supervisor


def test_a_program_that_is_starting_is_waited_for_and_left_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    states = {"alertmanager": "starting", "prometheus": "running", "gateway": "stopped"}
    monkeypatch.setattr(Doors, "states", lambda _: states)
    monkeypatch.setattr(Supervisor, "start", lambda _, name, **__: told.append(f"start {name}"))
    monkeypatch.setattr(probes, "wait_ready", lambda *_: told.append("ready"))
    doors = Doors(desk)

    def named(*names: str) -> list[Program]:
        return [Program(name, name, "stack", ("true",), (), "tcp") for name in names]

    assert doors.bring_back(named("alertmanager", "prometheus")) == []
    assert told == ["ready"]
    assert doors.bring_back(named("gateway")) == ["gateway started again (it was stopped)"]
    assert told == ["ready", "start gateway", "ready"]
    told.clear()
    states["alertmanager"] = "running"
    assert doors.bring_back(named("alertmanager")) == []
    assert told == []
