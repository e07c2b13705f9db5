"""Run the tests of a whole lab, and those of the batch beside them at the lowest priority.

    python -m scripts.lab_tests

Drills are timed to the second and leave half of the processor time unused. The batch uses it: tests that wait for no
process and measure no time, in promtool, in builds of the site, in simulations, and the visit of every page. Its output
is shown once the tests of the lab have ended. Ctrl-C stops both. The exit status is that of the first that failed.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import IO

from lab.paths import ROOT

LAB_MARKS, BATCH_MARKS = ("stack", "containers"), ("promtool", "batch")
LOWEST = 19
POLL_SECONDS = 0.5
# Of prctl(2) and capabilities(7).
PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23


def lab_tests() -> list[str]:
    """Options of pytest: the tests of a lab, those that measure how fast it is last, when the batch has ended."""
    files = files_with(LAB_MARKS)
    return ["-m", " or ".join(LAB_MARKS), *sorted(files, key=lambda file: "capacity" in file)]


def batch() -> list[str]:
    """Options of pytest: the tests of the batch."""
    marks = f"({' or '.join(BATCH_MARKS)}) and not ({' or '.join(LAB_MARKS)})"
    return ["-m", marks, "-n", "2", "--dist", "loadfile", *files_with(BATCH_MARKS)]


def files_with(marks: Sequence[str]) -> list[str]:
    """The test files that mention one of these marks. Collecting the other thousands of tests would take seconds."""
    mentions = re.compile(rf"\bmark\.({'|'.join(marks)})\b")
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(file.relative_to(ROOT)) for file in files if mentions.search(file.read_text(encoding="utf-8"))]


def command(options: Sequence[str]) -> list[str]:
    """pytest with these options, in this environment."""
    return [sys.executable, "-m", "pytest", *options]


def run(lab: Sequence[str], beside: Sequence[str]) -> int:
    """Run both commands, show the output of the second after that of the first, and return the first failed status."""
    with tempfile.TemporaryFile() as output:
        second = subprocess.Popen(beside, stdout=output, stderr=subprocess.STDOUT, preexec_fn=stay_lowest)
        first = subprocess.Popen(lab)
        try:
            status = first.wait()
            sys.stdout.write("\nThe batch, which ran beside the tests of the lab at the lowest priority:\n")
            _show(output, second)
            return status or second.wait()
        finally:  # Ctrl-C reaches both too, as they are in the terminal's foreground
            for process in (first, second):
                if process.poll() is None:
                    process.terminate()
                    process.wait()


def stay_lowest() -> None:
    """Give this process the lowest priority for good: root might raise it again, and Chromium does."""
    os.nice(LOWEST)
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # it never delays a process that is not idle
        if os.geteuid() == 0:
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0)


def _show(output: IO[bytes], process: subprocess.Popen[bytes]) -> None:
    """Copy what is in the file, and what is still written to it, to the standard output until the process ends."""
    shown, ended = 0, False
    while not ended:
        ended = process.poll() is not None
        # The writer has the same file open: reading at a position does not move its own.
        while data := os.pread(output.fileno(), 1 << 16, shown):
            shown += len(data)
            sys.stdout.buffer.write(data)
        sys.stdout.flush()
        if not ended:
            time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    try:
        sys.exit(run(command(lab_tests()), command(batch())))
    except KeyboardInterrupt:
        sys.exit(130)
