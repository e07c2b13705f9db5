"""The committed figures of the measured capacity: read, or refused in one line that names the key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab import measured_capacity
from lab.errors import LabError
from lab.measured_capacity import Interval

LOW, VALUE, HIGH = 150.0, 160.5, 171.0
GOOD: dict[str, Any] = {
    "schema": "fleetops.capacity/v1",
    "measured_at": "2026-01-02T03:04:05Z",
    "configurations": {
        "default": {"capacity": {"value": 240, "low": 230, "high": 251.5, "unit": "requests/s"}, "steps": []},
        "n-1": {"capacity": {"value": VALUE, "low": LOW, "high": HIGH}},
    },
}


def write(file: Path, document: Any) -> Path:
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def test_the_capacity_of_each_configuration_is_read_and_other_keys_are_ignored(tmp_path: Path) -> None:
    read = measured_capacity.read(write(tmp_path / "capacity.json", GOOD))
    assert read == {"default": Interval(240, 230, 251.5), "n-1": Interval(VALUE, LOW, HIGH)}


def test_without_the_file_nothing_has_been_measured(tmp_path: Path) -> None:
    assert measured_capacity.read(tmp_path / "capacity.json") == {}


def test_the_committed_figures_can_be_read() -> None:
    assert all(interval.low > 0 for interval in measured_capacity.read().values())


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != key}


def capacity(**ends: Any) -> dict[str, Any]:
    return GOOD | {"configurations": {"n-1": {"capacity": {"value": VALUE, "low": LOW, "high": HIGH} | ends}}}


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ("", "truncated"),
        ("{\n", "truncated"),
        ("[" * 100_000, "is damaged"),
        ([], "object"),
        (GOOD | {"schema": "fleetops.capacity/v2"}, "schema"),
        (without("schema"), "schema"),
        (without("configurations"), "configurations"),
        (GOOD | {"configurations": {"n-1": {}}}, "capacity"),
        (GOOD | {"configurations": {'n-1"} 1\n': {"capacity": {"value": 1, "low": 1, "high": 1}}}}, "configurations"),
        (capacity(low=None), "low"),
        (capacity(low=0), "low"),
        (capacity(high="171"), "high"),
        (capacity(low=161), "160.5 is not between low 161 and high 171"),
        (capacity(high=160), "160.5 is not between low 150 and high 160"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, document: Any, named: str) -> None:
    file = write(tmp_path / "capacity.json", document)
    with pytest.raises(LabError, match=named) as refused:
        measured_capacity.read(file)
    assert str(refused.value).startswith(f"{file} is damaged (")
    assert str(refused.value).endswith("measure the capacity again")
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot be read"):
        measured_capacity.read(tmp_path)


def test_a_sweep_without_a_failed_step_has_no_upper_end(tmp_path: Path) -> None:
    file = write(tmp_path / "capacity.json", capacity(high=None))
    assert measured_capacity.read(file)["n-1"].high is None
