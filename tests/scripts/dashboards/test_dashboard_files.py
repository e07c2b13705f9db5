"""The committed dashboards are what the generator writes, the same on every run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.paths import ROOT
from scripts.dashboards import __main__ as program
from scripts.dashboards import generated


def test_the_committed_dashboards_are_those_of_the_generator() -> None:
    assert list(generated.drift()) == []


def test_two_processes_generate_the_same_bytes() -> None:
    """Whatever the seed of string hashes, by which sets are ordered."""
    show = "from scripts.dashboards import generated; print(*generated.render_all().values())"
    first, second = (
        subprocess.run(
            [sys.executable, "-c", show],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    )
    assert first == second
    assert len(first) > 100_000


def test_a_changed_a_missing_and_an_unknown_file_are_named_and_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generated, "FOLDER", tmp_path)
    generated.write_all()
    edited = tmp_path / "fleetops-capacity.json"
    edited.write_text(edited.read_text().replace("Headroom", "Room"))
    (tmp_path / "fleetops-rollout.json").unlink()
    (tmp_path / "fleetops-old.json").write_text("{}")

    assert program.main(["--check"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path}/fleetops-rollout.json: is missing; run `make dashboards`",
        f"{edited}: differs from scripts/dashboards; run `make dashboards`",
        f"{tmp_path}/fleetops-old.json: belongs to no dashboard of scripts/dashboards; delete it",
    ]
    assert program.main([]) == 0
    assert program.main(["--check"]) == 0
    assert not (tmp_path / "fleetops-old.json").exists()
