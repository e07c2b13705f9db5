"""Bringing programs back helps those that need it, and nobody else."""

from __future__ import annotations

import pytest

from lab.control.lab_clients import LabClients
from lab.drills.faults import FaultContext
from lab.stack.health import probes
from lab.stack.processes.supervision import Supervisor
from lab.stack.programs import Program


def test_a_program_that_is_starting_is_waited_for_and_left_alone(
    clients: LabClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    states = {"alertmanager": "starting", "prometheus": "running", "gateway": "stopped"}
    monkeypatch.setattr(FaultContext, "states", lambda _: states)
    monkeypatch.setattr(Supervisor, "start", lambda _, name, **__: told.append(f"start {name}"))
    monkeypatch.setattr(probes, "wait_ready", lambda *_: told.append("ready"))
    context = FaultContext(clients)

    def named(*names: str) -> list[Program]:
        return [Program(name, name, "stack", ("true",), (), "tcp") for name in names]

    assert context.bring_back(named("alertmanager", "prometheus")) == []
    assert told == ["ready"]
    assert context.bring_back(named("gateway")) == ["gateway started again (it was stopped)"]
    assert told == ["ready", "start gateway", "ready"]
    told.clear()
    states["alertmanager"] = "running"
    assert context.bring_back(named("alertmanager")) == []
    assert told == []
