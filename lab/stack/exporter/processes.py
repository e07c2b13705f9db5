"""Processor time and memory of each supervised process, sampled every few seconds.

A sample is one request to supervisord for the process ids, and one pass over the machine's processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lab import names
from lab.errors import LabError
from lab.paths import Home
from lab.stack.exporter.worker import Worker
from lab.stack.health.machine import cpu_seconds, memory_bytes
from lab.stack.processes.supervision import Supervisor
from lab.stack.programs import Program

INTERVAL_SECONDS = 5.0


@dataclass(frozen=True)
class Usage:
    """Processor seconds since its start and resident memory of one process, its descendants included."""

    pid: int
    cpu_seconds: float
    memory_bytes: int


def usage(pids: Mapping[str, int]) -> dict[str, Usage]:
    """The usage of each process by name, given its process id; without those that have ended."""
    names_of = {pid: name for name, pid in pids.items()}
    processes = {process.pid: process for process in psutil.process_iter(["ppid"])}
    parents = {pid: process.info["ppid"] for pid, process in processes.items()}
    families: dict[str, list[psutil.Process]] = {}
    for pid, process in processes.items():
        if (root := _root(pid, parents, names_of)) is not None:
            families.setdefault(names_of[root], []).append(process)
    return {name: used for name, family in families.items() if (used := _sum(pids[name], family))}


def _root(pid: int | None, parents: Mapping[int, int | None], roots: Mapping[int, str]) -> int | None:
    """The process itself or its nearest ancestor that is one of `roots`, or None."""
    seen = set()
    while pid is not None and pid not in roots and pid not in seen:
        seen.add(pid)  # ids are read one after another, so a reused id may close a circle
        pid = parents.get(pid)
    return pid if pid in roots else None


def _sum(pid: int, family: Iterable[psutil.Process]) -> Usage | None:
    """The sum over a process and its descendants; None if none of them is left."""
    seconds, memory = 0.0, []
    for process in family:
        with suppress(psutil.Error), process.oneshot():
            memory.append(process.memory_info())
            seconds += cpu_seconds(process)
    return Usage(pid, seconds, memory_bytes(memory)[0]) if memory else None


class ProcessSampler(Worker, Collector):
    """Samples the usage of every program that runs; exports nothing while supervisord does not answer."""

    def __init__(self, home: Home, programs: Iterable[Program]) -> None:
        super().__init__("process-sampler", INTERVAL_SECONDS)
        self._supervisor = Supervisor(home)
        self._services = {program.name: program.job or program.service for program in programs}
        self._usage: dict[str, Usage] = {}

    def sample(self) -> None:
        """Take a sample. A program that no longer runs has no usage, so its series end."""
        try:
            now = usage(self._supervisor.pids())
        except LabError:  # in containers there is no supervisord
            now = {}
        self._usage = {name: _not_less(used, self._usage.get(name)) for name, used in now.items()}

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.sample()
            self._stopped.wait(INTERVAL_SECONDS)

    def collect(self) -> Iterator[Metric]:
        """The last sample as metrics."""
        labels = ["process", "service"]
        seconds = CounterMetricFamily(
            names.PROCESS_CPU, "Processor seconds of a process and its descendants since its start.", labels=labels
        )
        memory = GaugeMetricFamily(
            names.PROCESS_MEMORY,
            "Resident memory of a process and its descendants, shared memory counted once.",
            labels=labels,
        )
        for name, used in self._usage.items():
            values = [name, self._services.get(name, name)]
            seconds.add_metric(values, used.cpu_seconds)
            memory.add_metric(values, float(used.memory_bytes))
        yield from (seconds, memory)


def _not_less(now: Usage, before: Usage | None) -> Usage:
    """`now`, with no less processor time than before in the same process.

    The time of a descendant that ended without being waited for is lost, and a counter must not decrease.
    """
    if before is None or before.pid != now.pid:
        return now
    return Usage(now.pid, max(now.cpu_seconds, before.cpu_seconds), now.memory_bytes)
