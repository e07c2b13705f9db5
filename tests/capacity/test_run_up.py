"""Run-ups: their levels, what is read from Prometheus at their end, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from lab.capacity import figures, run_up
from lab.capacity.documents import Host, RunUpRow
from lab.cli.capacity.capacity import capacity
from lab.errors import LabError, UsageError
from lab.paths import RULES
from lab.slo.catalogue import committed

HOST = Host(cpus=2, cpu_model="made up", machine="x86_64", memory_mib=4096, python="3.11.7", prometheus="3.5.3")
ROW = RunUpRow(
    name="load", at="2026-01-01T00:00:00Z", seconds=120.0, levels=[(0.0, 80.0), (10.0, 90.0), (20.0, 100.0)],
    fired={"CpuHeadroomLow": 14.0}, burning={"feed-latency-p99": 100.0, "user-availability": 110.0},
)  # fmt: skip


def test_levels_grow_or_fall_by_a_factor_and_stop_before_the_last() -> None:
    up, down = run_up.growth(100, 130, 1.1), run_up.growth(100, 70, 0.9)
    assert up == pytest.approx([100, 110, 121])
    assert down == pytest.approx([100, 90, 81, 72.9])
    with pytest.raises(ValueError, match=r"levels from 100 never reach 70 by factors of 1\.1"):
        run_up.growth(100, 70, 1.1)


def test_an_slo_burns_since_the_last_time_that_it_was_within_its_budget() -> None:
    points = [(0.0, 0.5), (1.0, 0.001), (2.0, 0.02), (3.0, 0.03)]
    assert run_up.since_when(points, 0.01) == 2.0
    assert run_up.since_when(points, 0.03) is None
    assert run_up.since_when(points, 0.0001) == 0.0
    assert run_up.since_when([(0.0, math.nan)], 0.01) is None


def test_every_capacity_ticket_has_a_run_up_and_precedes_known_slos() -> None:
    rules = (RULES / "platform" / "capacity.rules.yml").read_text()
    tickets = {line.split("alert: ")[1] for line in rules.splitlines() if "alert: " in line} | {"CacheHitRatioLow"}
    run_ups = run_up.run_ups()
    assert {alert for one in run_ups for alert in one.precedes} == tickets
    known = {slo.sloth_id for slo in committed().slos}
    assert all(set(slos) <= known for one in run_ups for slos in one.precedes.values())
    shown = CliRunner().invoke(capacity, ["run-up", "--help"]).output
    assert f"Run-ups: {', '.join(one.name for one in run_ups)}." in " ".join(shown.split())
    with pytest.raises(UsageError, match="no run-up 'nope'; there are load, "):
        run_up.known(["nope"])


def test_a_row_says_at_which_level_something_happened_and_which_slo_burned_first() -> None:
    assert [ROW.level_at(at) for at in (0.0, 14.0, 500.0)] == [80.0, 90.0, 100.0]
    assert ROW.first_burn(["user-availability", "feed-latency-p99"]) == 100.0
    assert ROW.first_burn(["feed-latency-p95"]) is None


def test_run_ups_are_stored_beside_those_of_other_names(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    figures.add_run_ups(HOST, [ROW], file)
    figures.add_run_ups(HOST, [msgspec.structs.replace(ROW, name="pool")], file)
    assert set(figures.read_run_ups(file).run_ups) == {"load", "pool"}
    file.write_text(file.read_text().replace('"seconds": 120.0', '"seconds": "long"'))
    with pytest.raises(LabError, match=r"r\.json is damaged .*seconds.*make run-ups"):
        figures.read_run_ups(file)
