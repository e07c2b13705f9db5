"""The end of a drill: it waits for an open page, except after a control of the grading."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab.drills import runner


@pytest.mark.parametrize(
    ("responder", "held", "waits"),
    [("autopilot", False, True), ("autopilot", True, False), ("none", False, False), ("wrong", False, False)],
)
def test_a_drill_waits_for_its_open_page_unless_it_is_a_control(
    monkeypatch: pytest.MonkeyPatch, responder: str, held: bool, waits: bool
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(runner, "_until", lambda _condition, end: waited.append(end))
    said: list[str] = []
    incident: Any = SimpleNamespace(
        page=object(), held=held, responder=responder, note=lambda *_: None, report=said.append
    )
    runner.clean_up(incident)
    assert said == ["clean-up"]
    assert bool(waited) == waits
