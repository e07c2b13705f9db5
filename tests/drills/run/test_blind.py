"""A blind drill reveals nothing about its fault while it runs, and any process can undo it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import documents
import pytest
from fakes import FakeGateway, FakePager
from msgspec.structs import replace as replace_struct

from lab.clients.documents import as_builtins
from lab.clients.times import utc_text
from lab.control import actions
from lab.control.lab_clients import LabClients
from lab.drills.faults import Fault, FaultContext, as_json
from lab.drills.faults.helpers.options import DelayProxy, FlushAllJob, HeldTransactions
from lab.drills.run import blind, diagnosis, peek
from lab.drills.run.hints import hint_server
from lab.drills.runbook.execute import hand_over
from lab.drills.schema.journal import Journal, ToUndo
from lab.drills.spec.drill import Drill, catalogue, find
from lab.drills.undo.journal import RANDOM, current, exclusive, journal_path, undo, undoing
from lab.drills.undo.journal_file import content, packed
from lab.drills.undo.snapshot import take
from lab.errors import LabError, UsageError
from lab.paths import ROOT

INC = find("INC-001")
PAGE = documents.page()


@pytest.fixture
def no_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults that capture nothing: the fake lab has no database, no cache and no load."""
    for fault in blind.every_fault():
        monkeypatch.setattr(type(fault), "capture", lambda _self, _context: {})
        monkeypatch.setattr(type(fault), "undo", lambda _self, _context, _captured: [])


def journal_of(clients: LabClients, drill: Drill) -> Journal:
    with exclusive(clients.home), undoing(clients, drill.id, blind.every_fault(), 2e9, blind=True):
        journal = current(clients.home)
        assert journal is not None
        assert (journal.drill, journal.pid) == (RANDOM, os.getpid())
        assert json.loads(journal_path(clients.home).read_text()) == as_builtins(journal), "nothing else is written"
    return journal


@pytest.mark.usefixtures("no_capture")
def test_the_journals_of_all_blind_drills_are_the_same(clients: LabClients) -> None:
    journals = [replace_struct(journal_of(clients, drill), at="") for drill in (INC, find("INC-011"), find("D0"))]
    assert journals[0] == journals[1] == journals[2]
    listed = [row.fault for row in content(journal_path(clients.home), journals[0]).faults]
    for drill in catalogue():
        for fault in drill.all_faults():
            assert json.loads(json.dumps(as_json(fault))) in listed


@pytest.mark.usefixtures("no_capture")
def test_a_blind_drill_that_was_killed_is_undone_from_its_journal_alone(
    clients: LabClients, gateway: FakeGateway
) -> None:
    entry = journal_of(clients, INC)
    assert entry.state is None
    held = replace_struct(entry, packed=packed(ToUndo(faults=[], state=take(clients))))
    journal_path(clients.home).write_text(json.dumps(as_builtins(held)))
    actions.set_canary_weight(clients, 50)
    assert undo(clients) == ["canary weight 50 % → 0 %"]
    assert gateway.state["canary"]["weight_percent"] == 0


@pytest.mark.usefixtures("no_capture")
def test_an_ordinary_journal_reveals_its_drill_and_a_blind_one_does_not(clients: LabClients) -> None:
    drills = catalogue()
    with undoing(clients, INC.id, INC.all_faults()):
        text = json.dumps(as_builtins(current(clients.home)), sort_keys=True)
        assert peek.drills_named(text, drills) == [INC]
        assert peek.drills_named(text.replace(INC.id, "?"), drills) == [INC], "its faults reveal it too"
    entry = journal_of(clients, INC)
    assert peek.drills_named(json.dumps(as_builtins(entry)), drills) == []
    assert not any(fault.kind in json.dumps(as_builtins(entry)) for fault in INC.all_faults())
    whole = json.dumps(as_builtins(content(journal_path(clients.home), entry)), sort_keys=True)
    assert len(peek.drills_named(whole, drills)) > 10, "unpacked, it holds every possible fault"
    assert not any(drill.id in whole for drill in drills if not drill.is_control)


def page(at: float) -> dict[str, Any]:
    return documents.page_json(received_at=utc_text(at))


@pytest.fixture
def serving(clients: LabClients, no_capture: None) -> Iterator[LabClients]:
    """The clients of a lab on which a blind INC-001 runs in this process."""
    since = utc_text(time.time())
    with exclusive(clients.home), undoing(clients, INC.id, blind=True), hint_server(clients, INC, since):
        yield clients


def test_the_process_of_a_blind_drill_serves_its_hints_and_audits_the_buyer(
    serving: LabClients, pager: FakePager
) -> None:
    buyer = serving.acting_as("bob")
    with pytest.raises(LabError, match="nobody has been paged yet"):
        diagnosis.buy_hint(buyer)
    pager.pages = [page(time.time() + 1)]
    assert [diagnosis.buy_hint(buyer) for _ in INC.hints] == [
        (number, len(INC.hints), text) for number, text in enumerate(INC.hints, start=1)
    ]
    with pytest.raises(LabError, match="hints were bought"):
        diagnosis.buy_hint(buyer)
    assert {row["actor"] for row in pager.rows.values()} == {"bob"}
    assert diagnosis.hints(documents.audit_rows(pager.rows.values())) == len(INC.hints)


@pytest.mark.usefixtures("no_capture")
def test_without_the_process_of_the_blind_drill_a_hint_is_refused(clients: LabClients) -> None:
    with (
        exclusive(clients.home),
        undoing(clients, INC.id, blind=True),
        pytest.raises(LabError, match="the drill does not answer"),
    ):
        diagnosis.buy_hint(clients)


HIDE = """
import sys
from pathlib import Path
from lab.drills.run import blind
if any(word.startswith(blind.PICKED) for word in sys.argv):
    drill = blind.picked(int(sys.argv[-1].partition("=")[2]))
    print(Path("/proc/self/cmdline").read_text().replace(chr(0), " "))
    print(drill.id)
else:
    blind.hide("INC-005", [sys.executable, __file__])
"""


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc to look at")
def test_the_process_table_does_not_show_the_drill_of_the_command_line(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(HIDE)
    done = subprocess.run(
        [sys.executable, str(script), "drill", "run", "INC-005"], capture_output=True, text=True, check=True
    )
    arguments, drill = done.stdout.splitlines()
    assert "INC-005" not in arguments
    assert f"drill run {RANDOM} {blind.PICKED}=" in arguments
    assert drill == "INC-005"


@pytest.mark.parametrize(("comment", "named"), [("INC-005", True), ("INC-006", False)])
def test_a_process_above_that_names_the_drill_is_reported(comment: str, named: bool) -> None:
    code = "from lab.drills.run.blind import revealing; print(revealing('INC-0' + '05'))"
    script = f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}; true # {comment}"
    found = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert found.startswith("sh (pid ") == named, found


def test_an_unknown_drill_is_refused_before_the_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["fleetops", "drill", "run", "INC-999"])
    with pytest.raises(UsageError, match="INC-999"):
        blind.hide("INC-999", ["fleetops"])


LOOK = """
import json, os, sys
json.dump({"cwd": os.listdir(), "env": dict(os.environ), "argv": sys.argv[1:]}, sys.stdout)
"""


def test_a_program_gets_an_empty_folder_and_a_minimal_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "look.py").write_text(LOOK)
    (tmp_path / "notes.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLEETOPS_HOME", "state")
    monkeypatch.setenv("DRILL", "INC-001")
    monkeypatch.setenv("API_KEY", "given by name")
    lines: list[str] = []
    program = (sys.executable, "look.py", "notes.txt", "--fast")
    assert hand_over(program, PAGE, "command-responder", 60, lines.append, ("API_KEY", "NOT_SET")) == 0
    seen = json.loads(lines[0])
    assert seen["cwd"] == []
    assert seen["argv"] == [str(tmp_path / "notes.txt"), "--fast"]
    needed = {"PATH", "HOME", "TMPDIR", "FLEETOPS_HOME", "FLEETOPS_PORT_BASE", "FLEETOPS_ACTOR", "API_KEY"}
    assert needed <= set(seen["env"])
    assert set(seen["env"]) <= needed | {"LANG", "LC_ALL", "LC_CTYPE", "TZ"}
    assert seen["env"]["FLEETOPS_HOME"] == str(tmp_path / "state")
    assert not Path(seen["env"]["HOME"]).exists(), "it was deleted with the program"


def test_every_helper_of_a_fault_looks_the_same_in_the_process_table(
    clients: LabClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []

    def start(words: list[str], **_: Any) -> subprocess.Popen[bytes]:
        started.append(words)
        raise KeyboardInterrupt

    monkeypatch.setattr("lab.drills.faults.helpers.process.subprocess.Popen", start)
    for options in (
        FlushAllJob(url="valkey://", times=1, every_seconds=1),
        HeldTransactions(sessions=1, statements=[], application="report", reopens=False),
        DelayProxy(listen="h:1", upstream="h:2", extra_delay_seconds=1, token_file="token"),
    ):
        with pytest.raises(KeyboardInterrupt):
            FaultContext(clients).start_helper(options)
    assert started[0] == started[1] == started[2]


def test_the_faults_of_a_blind_journal_are_those_of_the_catalogue_each_once() -> None:
    """test_peek_live.py undoes all of them without an injection."""
    listed = blind.every_fault()
    assert len(listed) == len({json.dumps(as_json(fault), sort_keys=True) for fault in listed})
    assert all(isinstance(fault, Fault) for fault in listed)
    assert {fault for drill in catalogue() for fault in drill.all_faults()} == set(listed)
