"""A full disk is told in one line: by `up` before it changes anything, by `status` and `doctor` while it is full."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.errors import LabError
from lab.places import Home, Ports
from lab.stack import disk, doctor
from lab.stack.exporter.files import DiskCollector

Make = Callable[[int], Home]


@pytest.fixture
def home_on_a_disk_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A state directory, not made yet, on a filesystem with so many free MiB."""

    def make(mebibytes: int) -> Home:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=mebibytes * disk.MIB))
        return Home(tmp_path / "home")

    return make


def test_a_start_is_refused_in_one_line_that_says_where_and_how_much(home_on_a_disk_with: Make) -> None:
    home = home_on_a_disk_with(3)
    with pytest.raises(LabError) as refused:
        disk.require(home)
    assert str(refused.value) == (
        f"disk full: 3 MiB free at {home.path.parent}, a start needs 1024 MiB; free some, or set FLEETOPS_HOME"
    )


def test_a_start_with_enough_space_is_not_refused(home_on_a_disk_with: Make) -> None:
    disk.require(home_on_a_disk_with(1024))


def test_the_ticket_comes_before_the_disk_is_full(home_on_a_disk_with: Make) -> None:
    """What the exporter tells at the threshold of DiskSpaceLow is not yet called full."""
    home = home_on_a_disk_with(511)
    assert [sample.value for family in DiskCollector(home).collect() for sample in family.samples] == [511 * disk.MIB]
    assert disk.full(home) == ""


def test_doctor_says_that_the_disk_is_full(home_on_a_disk_with: Make) -> None:
    home = home_on_a_disk_with(0)
    finding = next(one for one in doctor.examine(home, Ports(9000)) if one.name == "disk")
    assert not finding.ok
    assert finding.found.startswith(f"disk full: 0 MiB free at {home.path.parent}")
