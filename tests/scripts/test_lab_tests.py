"""Both runs of tests end with one status and their output one after the other, and Ctrl-C stops both."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from polling import eventually

from lab.paths import ROOT
from scripts.lab_tests import LOWEST, batch, command, lab_tests, run

pytestmark = pytest.mark.batch


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_output_of_the_tests_beside_follows_that_of_the_lab(capfd: pytest.CaptureFixture[str]) -> None:
    first = python("import time; time.sleep(0.3); print('first')")
    second = python("import os, time; print('second', os.nice(0), flush=True); time.sleep(0.6); print('end')")
    assert run(first, second) == 0
    lines = capfd.readouterr().out.split("\n")
    assert lines[0] == "first"
    assert lines[3:5] == [f"second {LOWEST}", "end"]


def test_the_tests_beside_cannot_raise_their_priority(capfd: pytest.CaptureFixture[str]) -> None:
    """Chromium gives the processes of a visible page a usual priority, if it may."""
    raises = python("import os; os.setpriority(os.PRIO_PROCESS, 0, 0)")
    assert run(python(""), raises) != 0
    assert "PermissionError" in capfd.readouterr().out


@pytest.mark.parametrize(("first", "second", "status"), [(0, 0, 0), (3, 0, 3), (0, 5, 5), (3, 5, 3)])
def test_a_failure_of_either_is_the_status(first: int, second: int, status: int) -> None:
    assert run(python(f"raise SystemExit({first})"), python(f"raise SystemExit({second})")) == status


def test_ctrl_c_stops_both(tmp_path: Path) -> None:
    waits = f"import os, time, pathlib; pathlib.Path({str(tmp_path)!r}, str(os.getpid())).touch(); time.sleep(600)"
    code = (
        "import sys, signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"from scripts.lab_tests import run\nsys.exit(run({python(waits)!r}, {python(waits)!r}))"
    )
    process = subprocess.Popen(python(code), cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        assert eventually(lambda: len(list(tmp_path.iterdir())) == 2)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) != 0
        assert not [pid.name for pid in tmp_path.iterdir() if Path("/proc", pid.name).exists()]
    finally:
        process.kill()


def test_every_test_is_in_one_of_the_three_runs() -> None:
    others = re.search(r'pytest -m "(not stack[^"]*)"', (ROOT / "Makefile").read_text())
    assert others
    folders = ["tests/rollout", "tests/stack", "tests/rules"]  # collecting all of them would take half a minute

    def collected(options: list[str]) -> set[str]:
        kept = [one for one in options if one not in ("-n", "2") and not one.startswith("tests/")]
        files = [one for one in options if one.startswith(tuple(folders))]
        done = subprocess.run(
            command(["--collect-only", "-q", *kept, *(files or folders)]),
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return set(done.stdout.split("\n\n")[0].splitlines())

    lab, beside, rest, every = map(collected, (lab_tests(), batch(), ["-m", others[1]], []))
    assert all((lab, beside, rest))
    assert len(lab) + len(beside) + len(rest) == len(every)
    assert lab | beside | rest == every
