"""A running drill can be found and given up from another process, with the same undo as after Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest
from polling import eventually

from lab.clients.documents import as_builtins
from lab.control.lab_clients import LabClients
from lab.drills.run import stoppable
from lab.drills.undo.journal import journal_path
from lab.drills.undo.snapshot import take
from lab.errors import UsageError
from lab.paths import Home

# A stand-in for a drill: it "undoes" for a while after the first signal, and marks the end with a file.
RUNNER = """
import sys, time
from pathlib import Path
from lab.drills.run.stoppable import stoppable
from lab.paths import Home

home = Home(Path(sys.argv[1]))
try:
    with stoppable(home, "INC-001"):
        try:
            (home.run / "steady").touch()
            while True:
                time.sleep(0.01)
        finally:
            (home.run / "undoing").touch()
            for _ in range(40):  # a second signal must not interrupt this
                time.sleep(0.01)
            (home.run / "undone").touch()
except KeyboardInterrupt:
    sys.exit(1)
"""


@pytest.fixture
def home(clients: LabClients) -> Home:
    clients.home.run.mkdir(parents=True, exist_ok=True)
    return clients.home


@pytest.fixture
def drill(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(RUNNER), str(home.path)])
    assert eventually((home.run / "steady").exists, 30)
    yield process
    process.kill()
    process.wait()


def test_a_running_drill_can_be_found_until_it_ends(home: Home, drill: subprocess.Popen[bytes]) -> None:
    runner = stoppable.runner(home)
    assert runner is not None
    assert (runner.drill, runner.pid) == ("INC-001", drill.pid)
    drill.kill()
    drill.wait()
    assert stoppable.runner(home) is None


def test_giving_up_returns_after_the_drill_has_undone_its_faults(
    clients: LabClients, home: Home, drill: subprocess.Popen[bytes]
) -> None:
    report = stoppable.give_up(clients)
    assert (home.run / "undone").exists()
    assert report.startswith("INC-001: given up, undone in ")
    assert stoppable.runner(home) is None
    assert drill.wait(10) == 1


def test_a_second_signal_does_not_interrupt_the_undo(home: Home, drill: subprocess.Popen[bytes]) -> None:
    drill.send_signal(signal.SIGINT)
    assert eventually((home.run / "undoing").exists, 10)
    for number in stoppable.SIGNALS:
        drill.send_signal(number)
    assert drill.wait(10) == 1
    assert (home.run / "undone").exists()


def test_a_suspended_drill_is_resumed_to_undo_its_faults(
    clients: LabClients, home: Home, drill: subprocess.Popen[bytes]
) -> None:
    drill.send_signal(signal.SIGSTOP)
    stoppable.give_up(clients)
    assert (home.run / "undone").exists()


def test_a_process_that_reuses_the_pid_of_a_drill_is_not_a_drill(home: Home) -> None:
    stoppable.announce(home, "INC-001", os.getpid())
    file = home.run / "drill.runner"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"started": 1.0}))
    assert stoppable.runner(home) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"drill": 1}',
        '{"drill": "x", "pid": "1", "started": 0}',
        '{"drill": "x", "pid": -1, "started": 0}',
        '{"drill": "x", "pid": Infinity, "started": 0}',
        "[" * 100_000,
    ],
)
def test_a_malformed_runner_file_names_no_drill(home: Home, text: str) -> None:
    (home.run / "drill.runner").write_text(text)
    assert stoppable.runner(home) is None


def test_a_killed_drill_is_undone_from_its_journal(clients: LabClients, home: Home) -> None:
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    entry = {
        "drill": "INC-001",
        "blind": False,
        "pid": gone.pid,
        "at": "",
        "expires_at": None,
        "faults": [],
        "state": as_builtins(take(clients)),
    }
    journal_path(home).parent.mkdir(parents=True, exist_ok=True)
    journal_path(home).write_text(json.dumps(entry))
    assert stoppable.left_over(home)
    assert stoppable.give_up(clients).startswith("a killed drill: given up, undone in ")
    assert not journal_path(home).exists()


def test_giving_up_without_a_drill_is_refused(clients: LabClients) -> None:
    with pytest.raises(UsageError, match="no drill is running"):
        stoppable.give_up(clients)
