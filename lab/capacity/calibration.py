"""The speed of the machine around a step, so that a step on a slowed machine is recognised.

One pinned process per core computes at the same time. A single core would be measured at one of two speeds, depending
on whether its hyperthread's sibling happens to be busy: on a virtual machine with two threads of one core, 8.4 and 6.3
million loops per second. With all of them busy, repeated readings differ by 3 %.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 0.6
# A step whose speed before or after it deviates by more than this from the sweep's usual speed is repeated.
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
    """Measures the speed with processes that wait in between; `running` starts and ends them."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self._processes = processes

    def speed(self) -> float:
        """Loops per second of processor time, the mean of all cores, measured in SECONDS."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{SECONDS}\n")
            process.stdin.flush()
        readings = []
        for process in self._processes:
            assert process.stdout is not None
            readings.append(float(process.stdout.readline()))
        return sum(readings) / len(readings)


@contextmanager
def running() -> Iterator[Calibrator]:
    """A calibrator with one process per core that this process may use."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    processes = [
        subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM, str(core)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C in the terminal is for the sweep
        )
        for core in cores
    ]
    try:
        yield Calibrator(processes)
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def drift(readings: tuple[float, float], usual: float) -> float:
    """The largest relative deviation of the readings from the usual speed."""
    return max(abs(reading / usual - 1) for reading in readings)
