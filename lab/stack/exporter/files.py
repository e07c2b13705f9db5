"""Metrics from the state directory: log sizes against their quota, free disk space, and process starts.

All are read at the scrape, with a few dozen stat calls. Only these metrics see a process that dies before it can serve
its own.
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
    """Used bytes, quota, and bytes written of every log in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, tuple[int, int]] = {}  # process → (inode, size) at the last scrape
        self._written: dict[str, float] = {}

    def collect(self) -> Iterator[Metric]:
        """Stat every log. A log that a rotation has just renamed keeps its series, so that its alert does not clear."""
        used = GaugeMetricFamily(names.LOG_USED, "Bytes of the log and its rotated parts.", labels=["process"])
        quota = GaugeMetricFamily(
            names.LOG_QUOTA, "Maximum bytes of the log and its rotated parts.", labels=["process"]
        )
        written = CounterMetricFamily(names.LOG_WRITTEN, "Bytes written to the log.", labels=["process"])
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
        """Count the bytes added since the last scrape: to the file that was newest then, and to files created later."""
        inode, size = self._seen.get(process, (parts[0].st_ino, parts[0].st_size))
        added = 0
        for stat in parts:  # newest first
            if stat.st_ino == inode:
                added += max(0, stat.st_size - size)
                break
            added += stat.st_size
        self._seen[process] = (parts[0].st_ino, parts[0].st_size)
        self._written[process] = self._written.get(process, 0.0) + added


class DiskCollector(Collector):
    """Free bytes on the filesystem of the state directory."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def collect(self) -> Iterator[Metric]:
        """One statvfs."""
        free = disk.space(self._home).free_bytes
        yield GaugeMetricFamily(names.DISK_FREE, "Free bytes of the state directory's filesystem.", value=float(free))


class StartsCollector(Collector):
    """Starts of each program since `fleetops up`: all, and the unplanned ones."""

    def __init__(self, home: Home, programs: Iterable[Program]) -> None:
        self._home = home
        self._programs = [(program.name, program.job or program.service) for program in programs]
        self._unplanned: dict[str, int] = {}

    def collect(self) -> Iterator[Metric]:
        """Count the lines of the starts files.

        A planned start is recorded a moment before it happens. In between, the difference is one too small; the counter
        never decreases, because an alert on changes() would count a dip as two more starts.
        """
        labels = ["process", "service"]
        family = CounterMetricFamily(names.PROCESS_STARTS, "Starts by the supervisor.", labels=labels)
        unplanned = CounterMetricFamily(
            names.PROCESS_STARTS_UNPLANNED, "Restarts by the supervisor after the process exited.", labels=labels
        )
        for process, service in self._programs:
            if count := starts(self._home, process):
                family.add_metric([process, service], float(count))
                self._unplanned[process] = max(self._unplanned.get(process, 0), unplanned_starts(self._home, process))
                unplanned.add_metric([process, service], float(self._unplanned[process]))
        yield from (family, unplanned)
