"""The exec wrapper: a program cannot outlive its parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from polling import eventually

from lab.paths import Home
from lab.stack.processes.supervision import MARK, starts, starts_file, wrapped_command


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    for folder in (home.run / "programs", home.run / "starts"):
        folder.mkdir(parents=True)
    return home


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the death signal exists on Linux only")
def test_a_program_dies_with_its_parent(home: Home, tmp_path: Path) -> None:
    """SIGKILL of the parent ends a child that ignores SIGTERM."""
    ignores_sigterm = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    command = wrapped_command(home, "stubborn", [sys.executable, "-c", ignores_sigterm])
    starter = f"import subprocess,sys; p = subprocess.Popen({command!r}); print(p.pid, flush=True); p.wait()"
    parent = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    assert eventually(lambda: "signal.SIG_IGN" in " ".join(child.cmdline()), 10)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 10)
    parent.stdout.close()


def test_a_program_gets_its_environment_and_its_starts_are_counted(home: Home) -> None:
    """Arguments and environment arrive unchanged, with quotes and percent signs; the parent's environment is kept."""
    report = (
        "import json,os,sys; print(json.dumps([sys.argv[1:], os.environ['X'], os.environ['Y'], os.environ['"
        + MARK
        + "']]))"
    )
    command = wrapped_command(
        home, "report", [sys.executable, "-c", report, "a 'b' \"c\" 100%"], env={"X": '50% "x"'}, counted=True
    )
    for count in (1, 2):
        done = subprocess.run(command, env={**os.environ, "Y": "kept"}, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == [["a 'b' \"c\" 100%"], '50% "x"', "kept", str(home.path)]
        assert starts(home, "report") == count
    assert starts_file(home, "report").exists()


def test_a_specification_is_readable_by_its_owner_only(home: Home) -> None:
    wrapped_command(home, "secret", ["/bin/true"], env={"PASSWORD": "x"})
    assert (home.run / "programs" / "secret.json").stat().st_mode & 0o077 == 0
