"""What a clean slate does when it is cut short."""

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


def test_a_slate_that_is_cut_short_ends_when_both_programs_answer_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def note(word: str) -> Callable[..., None]:
        return lambda _, name, **__: told.append(f"{word} {name}")

    monkeypatch.setattr(Supervisor, "processes", lambda _: list[ProcessRow]())
    monkeypatch.setattr(Supervisor, "stop", note("stop"))
    monkeypatch.setattr(Supervisor, "start", note("start"))
    monkeypatch.setattr(probes, "wait_ready", lambda programs, _: told.extend(one.name for one in programs))
    monkeypatch.setattr(shutil, "rmtree", Mock(side_effect=KeyboardInterrupt))
    home, ports = Home(tmp_path), Ports(20000)
    with pytest.raises(KeyboardInterrupt):
        clean_slate.clean(home, ports, Pager("http://127.0.0.1:1", "token"))
    stops, starts, ready = told[:2], told[2:4], told[4:]
    assert stops == ["stop alertmanager", "stop prometheus"]
    assert starts == ["start prometheus", "start alertmanager"]
    assert sorted(ready) == ["alertmanager", "prometheus"]
