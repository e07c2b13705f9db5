"""The leash: a program cannot outlive its parent."""

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
from lab.stack.processes.supervision import MARK, leashed, starts, starts_file


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    for folder in (home.run / "programs", home.run / "starts"):
        folder.mkdir(parents=True)
    return home


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's part of the leash exists on Linux only")
def test_the_program_dies_with_its_parent(home: Home, tmp_path: Path) -> None:
    """SIGKILL of the parent ends a child that ignores every signal it can ignore."""
    deaf = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    command = leashed(home, "deaf", [sys.executable, "-c", deaf])
    starter = f"import subprocess,sys; p = subprocess.Popen({command!r}); print(p.pid, flush=True); p.wait()"
    parent = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    assert eventually(lambda: "signal.SIG_IGN" in " ".join(child.cmdline()), 10)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 10)
    parent.stdout.close()


def test_the_program_gets_its_environment_and_its_starts_are_counted(home: Home) -> None:
    """Arguments and environment arrive as they are, quotes and percent signs included; the parent's is kept."""
    tell = (
        "import json,os,sys; print(json.dumps([sys.argv[1:], os.environ['X'], os.environ['Y'], os.environ['"
        + MARK
        + "']]))"
    )
    command = leashed(
        home, "tell", [sys.executable, "-c", tell, "a 'b' \"c\" 100%"], env={"X": '50% "x"'}, counted=True
    )
    for count in (1, 2):
        done = subprocess.run(command, env={**os.environ, "Y": "kept"}, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == [["a 'b' \"c\" 100%"], '50% "x"', "kept", str(home.path)]
        assert starts(home, "tell") == count
    assert starts_file(home, "tell").exists()


def test_what_a_program_is_told_is_for_its_owner_alone(home: Home) -> None:
    leashed(home, "secret", ["/bin/true"], env={"PASSWORD": "x"})
    assert (home.run / "programs" / "secret.json").stat().st_mode & 0o077 == 0
