"""The speed of the machine around a step.

One pinned process per core computes at the same time. A single core would be measured at one of two speeds, depending
on whether its hyperthread's sibling happens to be busy. What remains is the machine itself: on a shared host its speed
may wander by 20 % within a minute, so a load is compared with others after division by the speed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import IO, Self

from lab.errors import LabError

SECONDS = 1.5
# A step during which the speed changed by more than this is repeated once.
MAX_DRIFT = 0.05

_PROGRAM = """
import os, sys, time
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {int(sys.argv[1])})
for line in sys.stdin:
    end, loops, value, began = time.perf_counter() + float(line), 0, 1, time.thread_time()
    while time.perf_counter() < end:
        for _ in range(20_000):
            value = value * 1_103_515_245 + 12_345 & 0x7FFFFFFF
        loops += 20_000
    print(loops / (time.thread_time() - began), flush=True)
"""


class Calibrator:
    """Measures the speed with one process per core, which wait in between. A context manager that ends them."""

    def __init__(self) -> None:
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _PROGRAM, str(core)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C in the terminal is for the sweep
            )
            for core in cores
        ]

    def speed(self) -> float:
        """Loops per second of processor time, the mean of all cores. Raises LabError when a process has ended."""
        try:
            for process in self._processes:
                os.write(_pipe(process.stdin), f"{SECONDS}\n".encode())
            readings = [float(_line(process)) for process in self._processes]
        except (OSError, ValueError):
            raise LabError("a process that measures the machine's speed has ended; run the sweep again") from None
        return sum(readings) / len(readings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()


def _pipe(stream: IO[bytes] | None) -> int:
    if stream is None:
        raise ValueError("the process has no pipe")
    return stream.fileno()


def _line(process: subprocess.Popen[bytes]) -> bytes:
    return process.stdout.readline() if process.stdout is not None else b""


def drift(readings: tuple[float, float]) -> float:
    """The relative difference of the speeds before and after a step."""
    return abs(readings[1] / readings[0] - 1)
