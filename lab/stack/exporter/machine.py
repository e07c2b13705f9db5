"""Processor time of the lab, of other programs, and idle; and memory of the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psutil
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lab import names
from lab.paths import Home
from lab.stack.exporter.worker import Worker
from lab.stack.health.machine import CpuTimes
from lab.stack.state import read_runner
from lab.telemetry.metrics import CollectorRegistry, Counter

INTERVAL_SECONDS = 1.0


class CpuSampler(Worker):
    """Counts processor time every second. The lab is supervisord and the running drill, with their descendants."""

    def __init__(self, home: Home, registry: CollectorRegistry) -> None:
        super().__init__("cpu-sampler", INTERVAL_SECONDS)
        self._home = home
        self._seconds = Counter(
            names.CPU_SECONDS, "Processor seconds of the machine by the lab, by other programs, and idle.", ["by"],
            registry=registry,
        )  # fmt: skip
        for by in ("lab", "others", "idle"):
            self._seconds.labels(by)

    def _run(self) -> None:
        before = self._read()
        while not self._stopped.wait(INTERVAL_SECONDS):
            now = self._read()
            for by, seconds in now.since(before).items():
                self._seconds.labels(by).inc(seconds)
            before = now

    def _read(self) -> CpuTimes:
        runner = read_runner(self._home)
        return CpuTimes.now([os.getppid(), *([runner.pid] if runner else [])])


class MemoryCollector(Collector):
    """Memory of the machine, total and available."""

    def collect(self) -> Iterator[Metric]:
        """Read the machine's memory once per scrape."""
        memory = psutil.virtual_memory()
        yield GaugeMetricFamily(names.MEMORY_TOTAL, "Memory of the machine.", value=float(memory.total))
        yield GaugeMetricFamily(
            names.MEMORY_AVAILABLE,
            "Memory that programs can still get without swapping, the page cache included.",
            value=float(memory.available),
        )
