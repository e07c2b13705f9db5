"""The state of a run, and its recovery from the running processes when the file is damaged."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.paths import Home, Ports
from lab.stack import lifecycle, replicas, running, state
from lab.stack.backends import monitoring
from lab.stack.health import disk, doctor
from lab.stack.lifecycle import AlreadyRunning, Start
from lab.stack.processes import supervision
from lab.stack.processes.supervision import ProcessRow, Supervisor
from lab.stack.programs import DEFAULT_REPLICAS

NESTED = "[" * 100_000
DAMAGED = {
    "empty": "",
    "cut off": '{"phase": "rea',
    "a list": "[1, 2]",
    "null": "null",
    "another shape": '{"phase": "ready"}',
    "a number as a string": '{"phase":"ready","starter":1,"supervisor":"1","port_base":9000,"url":"x","started_at":0,'
    '"ready_seconds":1.0,"foreground":false}',
    "bytes of another file": "\x00\x01",
    "nested": NESTED,
    "infinite": '{"phase":"ready","starter":1,"supervisor":1,"port_base":9000,"url":"x","started_at":0,'
    '"ready_seconds":Infinity,"foreground":false}',
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    state.make_directories(home)
    return home


@pytest.fixture
def healthy(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A lab at port 9000 whose programs all run; this process stands in for supervisord and all of them."""
    expected = [SimpleNamespace(name=name) for name in ("postgres", "gateway")]
    rows = [ProcessRow(program.name, program.name, os.getpid(), "running", 1, 1, 0) for program in expected]
    monkeypatch.setattr(Supervisor, "pid", lambda _: os.getpid())
    monkeypatch.setattr(Supervisor, "processes", lambda _: rows)
    monkeypatch.setattr(replicas, "expected", lambda *_: expected)
    monkeypatch.setattr(running, "_port_base", lambda _: 9000)
    return home


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_a_start_recognizes_a_healthy_lab_by_its_processes_and_rewrites_the_file(
    healthy: Home, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """It reports this, and stops nothing."""
    monkeypatch.setattr(lifecycle, "stop", lambda *_: pytest.fail("a healthy lab was stopped"))
    (healthy.run / "lab.json").write_text(text)
    messages: list[str] = []
    with pytest.raises(AlreadyRunning, match=r"already running \(pid \d+, http://127\.0\.0\.1:9000/"):
        Start(healthy, Ports(9000), lambda _, text: messages.append(text), foreground=False).run()
    assert messages == ["run/lab.json is damaged; it is rewritten from the running processes"]
    assert (run := state.read(healthy)) is not None
    assert (run.phase, run.supervisor, run.port_base) == ("ready", os.getpid(), 9000)


def test_a_start_reports_a_full_disk_even_if_the_lab_is_running(healthy: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "full", lambda _: "disk full: 0 MiB free")
    messages: list[str] = []
    with pytest.raises(AlreadyRunning):
        Start(healthy, Ports(9000), lambda _, text: messages.append(text), foreground=False).run()
    assert messages[-1] == "disk full: 0 MiB free"


def test_a_file_of_another_run_is_ignored(healthy: Home) -> None:
    state.write(healthy, state.RunState("ready", 1, 4_000_000, 8000, "http://127.0.0.1:8000", 0.0, 1.0, False))
    run = running.find(healthy)
    assert run is not None
    assert run.url == "http://127.0.0.1:9000"


def test_a_lab_whose_start_was_killed_is_not_running(healthy: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Supervisor, "processes", lambda _: [ProcessRow("postgres", "postgres", 1, "running", 1, 1, 0)])
    (healthy.run / "lab.json").write_text("")
    assert running.find(healthy) is None


def test_doctor_shows_the_url_of_a_lab_whose_file_is_damaged(healthy: Home) -> None:
    (healthy.run / "lab.json").write_text("{")
    findings = {finding.name: finding.found for finding in doctor.examine(healthy, Ports(9000))}
    assert findings["lab"].startswith(f"running (pid {os.getpid()}, http://127.0.0.1:9000/")


def test_a_damaged_file_of_a_lab_that_is_down_means_an_unclean_end(home: Home) -> None:
    (home.run / "lab.json").write_text("{")
    assert not supervision.socket_path(home).exists()
    finding = next(finding for finding in doctor.examine(home, Ports(9000)) if finding.name == "lab")
    assert (finding.ok, finding.found) == (False, "ended without `fleetops down`")


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "7", '{"user": "many"}', '{"user": null}', '{"user": {}}'], ids=repr
)
def test_damaged_replica_counts_mean_the_defaults(home: Home, text: str) -> None:
    (home.run / "replicas.json").write_text(text)
    assert state.read_replicas(home) == DEFAULT_REPLICAS


def test_replica_counts_are_stored(home: Home) -> None:
    counts = {**DEFAULT_REPLICAS, "user": 4}
    state.write_replicas(home, counts)
    assert state.read_replicas(home) == counts


@pytest.mark.parametrize("text", [NESTED, '{"feed": Infinity}', '{"feed": "3"}', '{"user": 2}', "[]"])
def test_damaged_replica_counts_are_the_defaults(home: Home, text: str) -> None:
    (home.run / "replicas.json").write_text(text)
    assert state.read_replicas(home) == DEFAULT_REPLICAS


@pytest.mark.parametrize(
    "text",
    [NESTED, '{"drained": [[1]], "detours": {}}', '{"drained": "feed-1", "detours": {}}', "[null, 5]",
     '{"drained": [], "detours": {"feed-1": 99999}}', '{"drained": [], "detours": {"feed-1": "http://x"}}'],
)  # fmt: skip
def test_a_damaged_routing_file_is_a_routing_without_exceptions(home: Home, text: str) -> None:
    (home.run / "routing.json").write_text(text)
    assert state.read_routing(home) == state.Routing()


@pytest.mark.parametrize("text", [NESTED, '[{"labels": 1}]', '{"targets": []}', "null"])
def test_a_damaged_target_file_names_no_instance(home: Home, text: str) -> None:
    (home.run / "targets").mkdir()
    (home.run / "targets" / "feed.json").write_text(text)
    assert monitoring.targets(home, "feed") == []
