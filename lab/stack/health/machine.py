"""Whose is the machine? Processor time of this lab, of everything else, and idle; and when that is too little for us.

The bound was found by measurement: a lab at default traffic is late only where other programs leave no processor idle.
How late timers run would be no measure of it: a process that mostly sleeps is woken in time on the busiest machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from lab.names import CPU_SECONDS

# Over this many seconds, others take more than OTHERS_RATIO of all processors and leave less than IDLE_RATIO idle.
WINDOW_SECONDS = 10
OTHERS_RATIO = 0.2
IDLE_RATIO = 0.05


@dataclass(frozen=True)
class Spent:
    """Processor seconds since the machine started, and of each family of processes, by the process it descends from."""

    busy: float
    idle: float
    families: dict[tuple[int, float], float]

    @classmethod
    def now(cls, roots: Iterable[int]) -> Spent:
        """Read it all. A family is a process of `roots` (process ids) with its descendants, those that ended too."""
        times = psutil.cpu_times()._asdict()
        idle = times["idle"] + times.get("iowait", 0.0)
        # Linux counts a guest's time in user and nice already.
        busy = sum(times.values()) - idle - times.get("guest", 0.0) - times.get("guest_nice", 0.0)
        families = {}
        for pid in roots:
            try:
                root = psutil.Process(pid)
                families[pid, root.create_time()] = sum(map(_taken, [root, *root.children(recursive=True)]))
            except psutil.Error:
                continue  # it has ended
        return cls(busy, idle, families)

    def since(self, before: Spent) -> dict[str, float]:
        """Processor seconds since then: by "lab", "others" and "idle"."""
        ours = sum(max(0.0, now - before.families[key]) for key, now in self.families.items() if key in before.families)
        busy, idle = (max(0.0, new - old) for new, old in ((self.busy, before.busy), (self.idle, before.idle)))
        return {"lab": min(ours, busy), "others": max(0.0, busy - ours), "idle": idle}


def _taken(process: psutil.Process) -> float:
    """Processor seconds of a process and of its children that have ended."""
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.Error:
        return 0.0


def ratio_query(by: str) -> str:
    """The query of the part of all processors that "lab", "others" or "idle" had in the last WINDOW_SECONDS."""
    window = f"[{WINDOW_SECONDS}s]"
    return f'sum(rate({CPU_SECONDS}{{by="{by}"}}{window})) / sum(rate({CPU_SECONDS}{window}))'


def too_busy_query() -> str:
    """The query that gives the part others had while the machine was too busy for the lab, and nothing else."""
    return f"{ratio_query('others')} > {OTHERS_RATIO:g} and {ratio_query('idle')} < {IDLE_RATIO:g}"


def too_busy(others_ratio: float) -> str:
    """A person's words for what `too_busy_query` gives."""
    return (
        f"this machine is too busy: other programs take {others_ratio:.0%} of its processors and leave none idle;"
        " what the lab measures now says nothing of the lab"
    )
