"""Run the tests of a whole lab, and those of the batch beside them at the lowest priority.

    python -m scripts.lab_tests

Drills are timed to the second and leave half of the processor time unused. The batch uses it: tests that only compute,
in promtool, in builds of the site or in simulations, and that open no browser. Its output is shown once the tests of
the lab have ended. Ctrl-C stops both. The exit status is that of the first that failed.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import IO

LAB = ("-m", "stack or containers")
BATCH = ("-m", "(promtool or batch) and not stack and not containers", "-n", "2", "--dist", "loadfile")
LOWEST = 19
POLL_SECONDS = 0.5
# Of prctl(2) and capabilities(7).
PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23


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
        sys.exit(run(command(LAB), command(BATCH)))
    except KeyboardInterrupt:
        sys.exit(130)
