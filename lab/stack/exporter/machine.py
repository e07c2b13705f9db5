"""Counts processor time: the lab's, everybody else's, and idle."""

from __future__ import annotations

import os

from lab import names
from lab.paths import Home
from lab.stack.exporter.worker import Worker
from lab.stack.health.machine import Spent
from lab.stack.state import read_runner
from lab.telemetry.metrics import CollectorRegistry, Counter

EVERY_SECONDS = 1.0


class Machine(Worker):
    """Looks every second. The lab is what supervisord started, and the drill that runs with all that it calls."""

    def __init__(self, home: Home, registry: CollectorRegistry) -> None:
        super().__init__("machine", EVERY_SECONDS)
        self._home = home
        self._seconds = Counter(
            names.CPU_SECONDS, "Processor seconds of the machine: the lab's, everybody else's, and idle.", ["by"],
            registry=registry,
        )  # fmt: skip
        for by in ("lab", "others", "idle"):
            self._seconds.labels(by)

    def _run(self) -> None:
        before = self._read()
        while not self._stopped.wait(EVERY_SECONDS):
            now = self._read()
            for by, seconds in now.since(before).items():
                self._seconds.labels(by).inc(seconds)
            before = now

    def _read(self) -> Spent:
        runner = read_runner(self._home)
        return Spent.now([os.getppid(), *([runner] if runner else [])])
