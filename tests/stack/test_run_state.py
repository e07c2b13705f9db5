"""What is kept of a run while it lasts, and what is made of it when the file was damaged: the processes tell."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.paths import Home, Ports
from lab.stack import lifecycle, replicas, running, state
from lab.stack.health import disk, doctor
from lab.stack.lifecycle import AlreadyRunning, Start
from lab.stack.processes import supervision
from lab.stack.processes.supervision import ProcessRow, Supervisor
from lab.stack.programs import DEFAULT_REPLICAS

GARBLED = {
    "empty": "",
    "cut off": '{"phase": "rea',
    "a list": "[1, 2]",
    "null": "null",
    "another shape": '{"phase": "ready"}',
    "a number as text": '{"phase":"ready","starter":1,"supervisor":"1","port_base":9000,"url":"x","started_at":0,'
    '"ready_seconds":1.0,"foreground":false}',
    "bytes of another file": "\x00\x01",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    state.make_directories(home)
    return home


@pytest.fixture
def healthy(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A lab on ports 9000 and up whose every program runs; this process stands for supervisord and all of them."""
    expected = [SimpleNamespace(name=name) for name in ("postgres", "gateway")]
    rows = [ProcessRow(one.name, one.name, os.getpid(), "running", 1, 0) for one in expected]
    monkeypatch.setattr(Supervisor, "pid", lambda _: os.getpid())
    monkeypatch.setattr(Supervisor, "processes", lambda _: rows)
    monkeypatch.setattr(replicas, "expected", lambda *_: expected)
    monkeypatch.setattr(running, "_port_base", lambda _: 9000)
    return home


@pytest.mark.parametrize("text", GARBLED.values(), ids=GARBLED)
def test_a_start_finds_a_healthy_lab_by_its_processes_and_writes_the_file_again(
    healthy: Home, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """It says so, and stops nothing."""
    monkeypatch.setattr(lifecycle, "stop", lambda *_: pytest.fail("a healthy lab was stopped"))
    (healthy.run / "lab.json").write_text(text)
    said: list[str] = []
    with pytest.raises(AlreadyRunning, match=r"running already \(pid \d+, http://127\.0\.0\.1:9000/"):
        Start(healthy, Ports(9000), lambda _, text: said.append(text), foreground=False).run()
    assert said == ["run/lab.json could not be used; it is written again from the running processes"]
    assert (run := state.read(healthy)) is not None
    assert (run.phase, run.supervisor, run.port_base) == ("ready", os.getpid(), 9000)


def test_a_start_on_a_full_disk_says_so_although_the_lab_runs(healthy: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "full", lambda _: "disk full: 0 MiB free")
    said: list[str] = []
    with pytest.raises(AlreadyRunning):
        Start(healthy, Ports(9000), lambda _, text: said.append(text), foreground=False).run()
    assert said[-1] == "disk full: 0 MiB free"


def test_a_file_of_another_run_is_not_believed(healthy: Home) -> None:
    state.write(healthy, state.RunState("ready", 1, 4_000_000, 8000, "http://127.0.0.1:8000", 0.0, 1.0, False))
    found = running.find(healthy)
    assert found is not None
    assert found.url == "http://127.0.0.1:9000"


def test_a_lab_whose_start_was_killed_half_way_is_not_called_running(
    healthy: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Supervisor, "processes", lambda _: [ProcessRow("postgres", "postgres", 1, "running", 1, 0)])
    (healthy.run / "lab.json").write_text("")
    assert running.find(healthy) is None


def test_doctor_tells_the_address_of_a_lab_whose_file_is_garbled(healthy: Home) -> None:
    (healthy.run / "lab.json").write_text("{")
    found = {one.name: one.found for one in doctor.examine(healthy, Ports(9000))}
    assert found["lab"].startswith(f"running (pid {os.getpid()}, http://127.0.0.1:9000/")


def test_a_garbled_file_of_a_lab_that_is_down_is_a_run_that_ended_badly(home: Home) -> None:
    (home.run / "lab.json").write_text("{")
    assert not supervision.socket_path(home).exists()
    finding = next(one for one in doctor.examine(home, Ports(9000)) if one.name == "lab")
    assert (finding.ok, finding.found) == (False, "ended without `fleetops down`")


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "7", '{"user": "many"}', '{"user": null}', '{"user": {}}'], ids=repr
)
def test_a_garbled_count_of_replicas_is_the_default(home: Home, text: str) -> None:
    (home.run / "replicas.json").write_text(text)
    assert state.read_replicas(home) == DEFAULT_REPLICAS


def test_counts_of_replicas_are_kept(home: Home) -> None:
    counts = {**DEFAULT_REPLICAS, "user": 4}
    state.write_replicas(home, counts)
    assert state.read_replicas(home) == counts
