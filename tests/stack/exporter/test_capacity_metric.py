"""The measured capacity as a metric: the lower ends, read again when the file changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.stack.exporter.capacity import CapacityCollector
from lab.telemetry import logs


class Warnings:
    """A logger that keeps the reasons of its warnings."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def warning(self, _event: str, *, reason: str) -> None:
        self.reasons.append(reason)


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> Warnings:
    kept = Warnings()
    monkeypatch.setattr(logs, "get", lambda: kept)
    return kept


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "capacity.json"


def figures(**low: float) -> str:
    configurations: dict[str, Any] = {
        name: {"capacity": {"value": 1.1 * value, "low": value, "high": 1.2 * value}} for name, value in low.items()
    }
    return json.dumps({"schema": "fleetops.capacity/v1", "configurations": configurations})


def samples(collector: CapacityCollector) -> dict[str, float]:
    """configuration → value."""
    (family,) = collector.collect()
    assert family.name == "capacity_measured_requests_per_second"
    return {sample.labels["configuration"]: sample.value for sample in family.samples}


def test_the_lower_end_of_each_configuration_is_exported(file: Path, warnings: Warnings) -> None:
    file.write_text(figures(default=230, one=150))
    assert samples(CapacityCollector(file)) == {"default": 230, "one": 150}
    assert warnings.reasons == []


def test_without_the_file_there_is_no_series_and_no_warning(file: Path, warnings: Warnings) -> None:
    assert samples(CapacityCollector(file)) == {}
    assert warnings.reasons == []


def test_a_new_measurement_is_exported_without_a_restart(file: Path, warnings: Warnings) -> None:
    collector = CapacityCollector(file)
    assert samples(collector) == {}
    file.write_text(figures(default=230))
    assert samples(collector) == {"default": 230}
    file.write_text(figures(default=230.5))
    assert samples(collector) == {"default": 230.5}
    file.unlink()
    assert samples(collector) == {}


def test_damage_is_logged_once_and_exports_nothing(file: Path, warnings: Warnings) -> None:
    file.write_text(figures(default=230))
    collector = CapacityCollector(file)
    assert samples(collector)
    file.write_text("{")
    assert [samples(collector) for _ in range(3)] == [{}, {}, {}]
    (reason,) = warnings.reasons
    assert "capacity.json is damaged" in reason
    file.write_text(figures(default=230))
    assert samples(collector) == {"default": 230}
