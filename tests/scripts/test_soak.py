"""The soak's arithmetic: which changes of memory count as growth."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lab.drills.spec import drill
from lab.errors import LabError
from scripts import soak
from scripts.soak import Sample, memory, out_of_bounds, slope_per_hour


def samples(*, hours: float = 2.0, mapped: float = 0.0, **processes: object) -> list[Sample]:
    """One sample per minute. Each process is a function from hours to MiB, or to None while it does not run.

    `mapped`: the growth of mapped files in MiB per hour, which RSS includes and private memory does not.
    """
    series = []
    for minute in range(int(hours * 60) + 1):
        rss = {name: of(minute / 60) for name, of in processes.items() if callable(of)}
        alive = {name: value for name, value in rss.items() if value is not None}
        rss = {name: value + mapped * minute / 60 for name, value in alive.items()}
        series.append(
            Sample(minute * 60.0, {**rss, "total": sum(rss.values())}, {**alive, "total": sum(alive.values())})
        )
    return series


def test_the_slope_of_steady_growth_is_exact() -> None:
    assert slope_per_hour([(minute * 60.0, 50 + 12 * minute / 60) for minute in range(121)]) == pytest.approx(12)


@pytest.mark.parametrize(
    "level",
    [lambda _: 50.0, lambda h: 50 + 20 * (h == 1.5), lambda h: 40.0 if h > 1.9 else 50.0],
    ids=["flat", "one peak", "a restart near the end"],
)
def test_a_peak_or_a_restart_does_not_count_as_growth(level: object) -> None:
    result = memory(samples(steady=level))
    assert result["steady"].private_slope_mib_per_hour <= 0
    assert out_of_bounds(result) == []


def test_growth_that_ended_in_the_first_half_does_not_count() -> None:
    result = memory(samples(warm=lambda h: 50 + 30 * min(h, 0.5)))
    assert (result["warm"].start_mib, result["warm"].end_mib) == (52, 65)
    assert out_of_bounds(result) == []


def test_a_process_that_grows_is_named_with_its_slope() -> None:
    result = memory(samples(leak=lambda h: 50 + 3 * h, steady=lambda _: 20.0))
    assert out_of_bounds(result) == ["leak grew by 3 MiB of private memory per hour over the second half"]


def test_mapped_files_count_in_the_rss_but_not_as_growth() -> None:
    result = memory(samples(mapped=9.0, steady=lambda _: 50.0))
    assert (result["steady"].slope_mib_per_hour, result["steady"].private_slope_mib_per_hour) == (9, 0)
    assert out_of_bounds(result) == []


def test_a_total_above_the_limit_at_any_time_is_named() -> None:
    result = memory(samples(big=lambda h: 1100.0 if h == 0.5 else 900.0))
    assert out_of_bounds(result) == ["the total reached 1100 MiB, more than 1024"]


def test_a_soak_without_samples_is_an_error() -> None:
    with pytest.raises(LabError, match="before the first sample"):
        memory([])


def test_a_lab_that_does_not_start_gives_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.soak", "--minutes", "0.1", "--port-base", "1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (1, 2)
    assert done.stderr.strip().startswith("soak: ")
    assert "Traceback" not in done.stderr


def test_every_drill_of_the_soak_is_in_the_catalogue() -> None:
    assert set(soak.DRILLS) <= {drill.id for drill in drill.catalogue()}
