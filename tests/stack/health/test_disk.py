"""A full disk is reported in one line, by `up` before it changes anything, and by `status` and `doctor`."""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from lab.cli import main
from lab.drills.undo import watchdog
from lab.errors import LabError
from lab.paths import Home, Ports
from lab.stack.exporter.files import DiskCollector
from lab.stack.health import disk, doctor
from lab.stack.lifecycle import Start

Make = Callable[[int], Home]


@pytest.fixture
def home_on_a_disk_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Returns a state directory, not created yet, on a filesystem with a given number of free MiB."""

    def make(mebibytes: int) -> Home:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=mebibytes * disk.MIB))
        return Home(tmp_path / "home")

    return make


def test_a_start_is_refused_with_the_place_and_the_free_and_required_space(home_on_a_disk_with: Make) -> None:
    home = home_on_a_disk_with(3)
    with pytest.raises(LabError) as refused:
        disk.require(home)
    assert str(refused.value) == (
        f"disk full: 3 MiB free at {home.path.parent}, a start needs 1024 MiB; free some, or set FLEETOPS_HOME"
    )


def test_a_start_with_enough_space_is_not_refused(home_on_a_disk_with: Make) -> None:
    disk.require(home_on_a_disk_with(1024))


def test_the_ticket_fires_before_the_disk_counts_as_full(home_on_a_disk_with: Make) -> None:
    """At the threshold of DiskSpaceLow, the disk does not count as full yet."""
    home = home_on_a_disk_with(511)
    assert [sample.value for family in DiskCollector(home).collect() for sample in family.samples] == [511 * disk.MIB]
    assert disk.full(home) == ""


def test_doctor_reports_a_full_disk(home_on_a_disk_with: Make) -> None:
    home = home_on_a_disk_with(0)
    finding = next(finding for finding in doctor.examine(home, Ports(9000)) if finding.name == "disk")
    assert not finding.ok
    assert finding.found.startswith(f"disk full: 0 MiB free at {home.path.parent}")


def test_up_refuses_a_full_disk_before_it_changes_anything(home_on_a_disk_with: Make) -> None:
    home = home_on_a_disk_with(100)
    start = Start(home, Ports(9000), lambda *_: None, foreground=False, before=lambda: pytest.fail("something changed"))
    with pytest.raises(LabError, match="disk full: 100 MiB free"):
        start.run()
    assert not home.path.exists()


def test_a_write_error_on_a_full_disk_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/lab/run/targets/user.json")

    monkeypatch.setattr(main, "load", lambda _: click.Command("status", callback=write))
    assert main.run(["status"]) == 1
    assert capsys.readouterr().err == (
        "fleetops: disk full: cannot write /lab/run/targets/user.json; free some space, then try again\n"
    )


def test_the_undo_of_a_killed_drill_waits_for_space(home_on_a_disk_with: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its retry limit counts only while the disk can be written."""
    home = home_on_a_disk_with(0)
    monkeypatch.setenv("FLEETOPS_HOME", str(home.path))
    attempts = []

    def undo(_runner: int) -> list[str]:
        attempts.append("undo")
        if len(attempts) == 3:
            home_on_a_disk_with(2000)
        if len(attempts) < 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return ["canary weight 50 → 0"]

    monkeypatch.setattr(watchdog, "_undo", undo)
    monkeypatch.setattr(watchdog, "select", lambda *_: None)
    monkeypatch.setattr(watchdog, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(sys, "argv", ["guard", "1", "0"])
    watchdog.main()
    assert len(attempts) == 4


def test_status_reports_a_full_disk_while_the_lab_is_down(
    home_on_a_disk_with: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = home_on_a_disk_with(1)
    monkeypatch.setenv("FLEETOPS_HOME", str(home.path))
    assert main.run(["status"]) == 1
    assert capsys.readouterr().out == (
        f"not running; disk full: 1 MiB free at {home.path.parent}; free some, and everything recovers by itself; "
        "`fleetops up` starts the lab\n"
    )
