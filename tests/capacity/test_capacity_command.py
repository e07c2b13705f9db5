"""`fleetops capacity show` and `plan`, on the figures of a made-up sweep."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from made_sweep import TRUE, simulated

from lab.capacity import figures
from lab.cli import main
from lab.errors import LabError, UsageError


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Figures in a file that the commands read."""
    file = tmp_path / "capacity.json"
    figures.write(figures.of(simulated(1, wander=0.0)), file)
    monkeypatch.setattr(figures.read, "__defaults__", (file,))
    return file


def test_show_lists_every_configuration_with_its_interval(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["capacity", "show", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    for name, true in TRUE.items():
        capacity = shown[name]["capacity"]
        assert capacity["low"] < capacity["value"] < capacity["high"]
        assert capacity["value"] == pytest.approx(true, rel=0.1)
        assert shown[name]["safe"]["value"] < capacity["value"]
    assert main.run(["capacity", "show"]) == 0
    assert "feed-latency-p99" in capsys.readouterr().out


def test_plan_says_what_is_needed_and_how_sure_that_is(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["capacity", "plan", "--feed", "40", "--user", "40", "--json"]) == 0
    small = {row["resource"]: row for row in json.loads(capsys.readouterr().out)}
    assert main.run(["capacity", "plan", "--feed", "900", "--user", "600", "--burst", "1.5", "--headroom", "0.3"]) == 0
    large = capsys.readouterr().out
    assert small["cores"]["basis"] == "measured"
    assert small["cores"]["amount"]["low"] <= small["cores"]["amount"]["value"] <= small["cores"]["amount"]["high"]
    assert small["cache, MiB"]["amount"]["value"] == pytest.approx(4_000_000 / 2**20 / 0.7)
    assert next(line for line in large.splitlines() if line.startswith("cores")).count("beyond the model") == 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--feed", "0", "--user", "0"], "a peak of 0 feed and 0 user requests per second is no load"),
        (["--headroom", "1.2"], "a headroom of 1.2 must be a ratio from 0 to below 1"),
        (["--burst", "0.5"], "a burst of 0.5 times the peak must be 1 (no burst) or more"),
        (["--feed", "nan"], "a peak of nan feed"),
        (["--user", "-1"], "a peak of 40 feed and -1 user"),
    ],
)
def test_an_impossible_demand_is_one_line(
    stored: Path, options: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["capacity", "plan", *options]) == 2
    error = capsys.readouterr().err
    assert why in error
    assert error.count("\n") == 1


def test_a_repetition_is_stored_beside_the_sweep_that_it_repeats(stored: Path) -> None:
    first = figures.read(stored)
    second = msgspec.structs.replace(
        first.sweep, header=msgspec.structs.replace(first.sweep.header, started_at="2026-01-02T00:00:00Z")
    )
    figures.write(figures.repeated(first, second), stored)
    both = figures.read(stored)
    assert (both.sweep, both.repeat, both.configurations) == (first.sweep, second, first.configurations)
    with pytest.raises(UsageError, match="the sweep of 2026-01-01T00:00:00Z cannot repeat itself"):
        figures.repeated(first, first.sweep)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--repeat"], "--repeat needs --record FILE, with the sweep to repeat"),
        (["--repeat", "--record", "none.json"], "none.json does not exist; run `make capacity` to measure it"),
        (["--repeat", "--config", "default"], "the stored sweep measured default, feed-1, feed-3, not default; a repe"),
    ],
)
def test_a_repetition_without_its_first_sweep_is_refused_before_it_starts(
    stored: Path, options: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    known = ["--record", str(stored)] if "--config" in options else []
    assert main.run(["capacity", "sweep", *options, *known]) != 0
    error = capsys.readouterr().err
    assert why in error
    assert error.count("\n") == 1


def test_damaged_figures_are_named(stored: Path) -> None:
    stored.write_text(stored.read_text().replace('"seed": 1', '"seed": "one"'))
    with pytest.raises(LabError, match=r"capacity\.json is damaged .*seed.*make capacity"):
        figures.read(stored)
    stored.write_text(stored.read_text().replace("fleetops.capacity/v1", "fleetops.capacity/v0").replace('"one"', "1"))
    with pytest.raises(LabError, match=r"capacity\.json has the schema 'fleetops\.capacity/v0'"):
        figures.read(stored)
