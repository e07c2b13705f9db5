"""The measured capacity as a metric, so that rules can compare the load with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lab import measured_capacity, names
from lab.errors import LabError
from lab.telemetry import logs

Version = tuple[int, int, int] | None  # (inode, modification time, size); None: there is no file


class CapacityCollector(Collector):
    """The lower end of each configuration's measured capacity: a plan must hold even if the estimate is too high.

    The file is read again when it changes. A damaged file is logged once and exports nothing.
    """

    def __init__(self, file: Path = measured_capacity.FILE) -> None:
        self._file = file
        self._log = logs.get()
        self._version: Version = None
        self._low: dict[str, float] = {}

    def collect(self) -> Iterator[Metric]:
        """One stat, and the values of the last reading."""
        if (version := self._now()) != self._version:
            self._version, self._low = version, self._read()
        family = GaugeMetricFamily(
            names.CAPACITY_MEASURED,
            "Load at which every SLO held when it was measured, the lower end of the interval.",
            labels=["configuration"],
        )
        for configuration, low in self._low.items():
            family.add_metric([configuration], low)
        yield family

    def _now(self) -> Version:
        try:
            stat = self._file.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def _read(self) -> dict[str, float]:
        try:
            return {name: interval.low for name, interval in measured_capacity.read(self._file).items()}
        except LabError as error:
            self._log.warning("the measured capacity is not exported", reason=str(error))
            return {}
