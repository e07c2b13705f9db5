"""An interrupted clean slate restarts Prometheus and Alertmanager."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from lab.clients.pager import Pager
from lab.paths import Home, Ports
from lab.stack import clean_slate
from lab.stack.health import probes
from lab.stack.processes.supervision import ProcessRow, Supervisor


def test_an_interrupted_clean_slate_returns_when_both_programs_are_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def record(verb: str) -> Callable[..., None]:
        return lambda _, name, **__: calls.append(f"{verb} {name}")

    monkeypatch.setattr(Supervisor, "processes", lambda _: list[ProcessRow]())
    monkeypatch.setattr(Supervisor, "stop", record("stop"))
    monkeypatch.setattr(Supervisor, "start", record("start"))
    monkeypatch.setattr(probes, "wait_ready", lambda programs, _: calls.extend(program.name for program in programs))
    monkeypatch.setattr(shutil, "rmtree", Mock(side_effect=KeyboardInterrupt))
    home, ports = Home(tmp_path), Ports(20000)
    with pytest.raises(KeyboardInterrupt):
        clean_slate.clean(home, ports, Pager("http://127.0.0.1:1", "token"))
    stops, starts, ready = calls[:2], calls[2:4], calls[4:]
    assert stops == ["stop alertmanager", "stop prometheus"]
    assert starts == ["start prometheus", "start alertmanager"]
    assert sorted(ready) == ["alertmanager", "prometheus"]
