"""Bringing programs back starts the stopped ones and leaves the others alone."""

from __future__ import annotations

import pytest

from lab.control.lab_clients import LabClients
from lab.drills.faults import FaultContext
from lab.stack.health import probes
from lab.stack.processes.supervision import Supervisor
from lab.stack.programs import Program


def test_a_starting_program_is_waited_for_and_not_started_again(
    clients: LabClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    states = {"alertmanager": "starting", "prometheus": "running", "gateway": "stopped"}
    monkeypatch.setattr(FaultContext, "states", lambda _: states)
    monkeypatch.setattr(Supervisor, "start", lambda _, name, **__: calls.append(f"start {name}"))
    monkeypatch.setattr(probes, "wait_ready", lambda *_: calls.append("ready"))
    context = FaultContext(clients)

    def named(*names: str) -> list[Program]:
        return [Program(name, name, "stack", ("true",), (), "tcp") for name in names]

    assert context.bring_back(named("alertmanager", "prometheus")) == []
    assert calls == ["ready"]
    assert context.bring_back(named("gateway")) == ["gateway started again (it was stopped)"]
    assert calls == ["ready", "start gateway", "ready"]
    calls.clear()
    states["alertmanager"] = "running"
    assert context.bring_back(named("alertmanager")) == []
    assert calls == []
