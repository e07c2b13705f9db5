"""Processor time of the lab, of other programs and idle, memory, and when the machine is too busy for the lab.

The thresholds are measured: at default traffic, the lab is slow only where other programs leave no processor idle.
Timer lateness does not measure this, because a process that mostly sleeps is woken in time even on the busiest machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from lab.names import CPU_SECONDS

# Too busy: over WINDOW_SECONDS, other programs use more than OTHERS_RATIO of all processors, and less than IDLE_RATIO
# is idle.
WINDOW_SECONDS = 10
OTHERS_RATIO = 0.2
IDLE_RATIO = 0.05


@dataclass(frozen=True)
class CpuTimes:
    """Processor seconds since the machine started, and those of process trees by their root (pid, create time).

    What programs of a lower priority use counts as idle: they only get what nothing else wants, so they take nothing
    from the lab. Where this process has a lower priority itself, the lab has, too, and nothing can be told apart.
    """

    busy: float
    idle: float
    trees: dict[tuple[int, float], float]

    @classmethod
    def now(cls, roots: Iterable[int]) -> CpuTimes:
        """Read the current times. `roots` are process ids; a tree includes descendants that have ended."""
        times = psutil.cpu_times()._asdict()
        idle = times["idle"] + times.get("iowait", 0.0)
        if os.nice(0) <= 0:
            idle += times.get("nice", 0.0)
        # On Linux, user and nice include guest and guest_nice.
        busy = sum(times.values()) - idle - times.get("guest", 0.0) - times.get("guest_nice", 0.0)
        trees = {}
        for pid in roots:
            try:
                root = psutil.Process(pid)
                trees[pid, root.create_time()] = sum(map(cpu_seconds, [root, *root.children(recursive=True)]))
            except psutil.Error:
                continue  # it has ended
        return cls(busy, idle, trees)

    def since(self, before: CpuTimes) -> dict[str, float]:
        """Processor seconds between two readings, by "lab", "others" and "idle"; never negative."""
        known = self.trees.keys() & before.trees.keys()
        lab = sum(max(0.0, self.trees[root] - before.trees[root]) for root in known)
        busy, idle = (max(0.0, new - old) for new, old in ((self.busy, before.busy), (self.idle, before.idle)))
        return {"lab": min(lab, busy), "others": max(0.0, busy - lab), "idle": idle}


def memory_bytes(family: Sequence[Any]) -> tuple[int, int]:
    """(RSS, private memory) in bytes of a process and its children, from psutil's `memory_info` of each.

    Shared memory counts once: every backend of PostgreSQL maps the same buffers, and the sum of their RSS would be
    several times their real use. Where the system does not report shared memory (macOS), both are that sum.
    """
    shared = [getattr(info, "shared", 0) for info in family]
    private = sum(info.rss for info in family) - sum(shared)
    return private + max(shared), private


def cpu_seconds(process: psutil.Process) -> float:
    """Processor seconds of a process and of its ended children."""
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.Error:
        return 0.0


def ratio_query(by: str) -> str:
    """The PromQL query of the share of all processors of "lab", "others" or "idle" over WINDOW_SECONDS."""
    window = f"[{WINDOW_SECONDS}s]"
    return f'sum(rate({CPU_SECONDS}{{by="{by}"}}{window})) / sum(rate({CPU_SECONDS}{window}))'


def too_busy_query() -> str:
    """The PromQL query of the share of others while the machine is too busy for the lab; empty otherwise."""
    return f"{ratio_query('others')} > {OTHERS_RATIO:g} and {ratio_query('idle')} < {IDLE_RATIO:g}"


def too_busy(others_ratio: float) -> str:
    """A message for the result of `too_busy_query`."""
    return (
        f"this machine is too busy: other programs use {others_ratio:.0%} of its processors and leave none idle;"
        " the lab's measurements are not valid"
    )
