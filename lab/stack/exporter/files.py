"""What the state directory tells: how full each log's quota and the disk are, and how often each process was started.

All are read at the scrape: a few dozen stat calls. A process that dies before it can serve metrics is counted here
and nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lab import names
from lab.paths import Home
from lab.stack.health import disk
from lab.stack.logfiles import QUOTA_BYTES, present
from lab.stack.processes.supervision import starts, unplanned_starts
from lab.stack.programs import Program


class LogCollector(Collector):
    """Used bytes, the quota, and bytes written, for every log in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, tuple[int, int]] = {}  # process → (inode, size) at the last look
        self._written: dict[str, float] = {}

    def collect(self) -> Iterator[Metric]:
        """Stat every log. One that a rotation has just put out of the way is told of still, or its alert would end."""
        used = GaugeMetricFamily(names.LOG_USED, "Size of the log and its rotated parts.", labels=["process"])
        quota = GaugeMetricFamily(names.LOG_QUOTA, "Most they may hold together.", labels=["process"])
        written = CounterMetricFamily(names.LOG_WRITTEN, "Bytes written.", labels=["process"])
        for process in sorted({path.stem for path in self._folder.glob("*.log")} | self._seen.keys()):
            if parts := present(self._folder / f"{process}.log"):
                self._count(process, parts)
            if process not in self._written:
                continue
            used.add_metric([process], float(sum(stat.st_size for stat in parts)))
            quota.add_metric([process], float(QUOTA_BYTES))
            written.add_metric([process], self._written[process])
        yield from (used, quota, written)

    def _count(self, process: str, parts: list[os.stat_result]) -> None:
        """What was added since the last look: to the file that was the newest then, and to those made after it."""
        inode, size = self._seen.get(process, (parts[0].st_ino, parts[0].st_size))
        added = 0
        for stat in parts:  # the newest first
            if stat.st_ino == inode:
                added += max(0, stat.st_size - size)
                break
            added += stat.st_size
        self._seen[process] = (parts[0].st_ino, parts[0].st_size)
        self._written[process] = self._written.get(process, 0.0) + added


class DiskCollector(Collector):
    """Free bytes of the filesystem that holds the state directory."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def collect(self) -> Iterator[Metric]:
        """One statvfs."""
        free = disk.look(self._home).free_bytes
        yield GaugeMetricFamily(names.DISK_FREE, "Free bytes of the state directory's filesystem.", value=float(free))


class StartsCollector(Collector):
    """How often supervision started each of `programs` since `fleetops up`."""

    def __init__(self, home: Home, programs: Iterable[Program]) -> None:
        self._home = home
        self._programs = [(program.name, program.job or program.service) for program in programs]
        self._unplanned: dict[str, int] = {}

    def collect(self) -> Iterator[Metric]:
        """Count the lines of each file of starts.

        A planned start is counted as asked for a moment before it happens. In between, the difference is one too small;
        the counter never falls, since an alert on changes() would count a dip as two more starts.
        """
        labels = ["process", "service"]
        family = CounterMetricFamily(names.PROCESS_STARTS, "Starts by supervision.", labels=labels)
        unplanned = CounterMetricFamily(names.PROCESS_STARTS_UNPLANNED, "Starts that nobody asked for.", labels=labels)
        for process, service in self._programs:
            if count := starts(self._home, process):
                family.add_metric([process, service], float(count))
                self._unplanned[process] = max(self._unplanned.get(process, 0), unplanned_starts(self._home, process))
                unplanned.add_metric([process, service], float(self._unplanned[process]))
        yield from (family, unplanned)
