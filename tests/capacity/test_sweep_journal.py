"""The journal of a sweep survives a crash, and says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from made_sweep import made_step, made_sweep

from lab.capacity import journal
from lab.capacity.documents import Burst, Header, Step
from lab.capacity.schedule import Next
from lab.errors import LabError, UsageError
from lab.paths import Home

STEPS = [made_step(Next("default", "staircase", 0, load), passed=load < 150) for load in (120.0, 150.0, 140.0)]
BURST = Burst(
    factor=1.5, base_per_second=100, seconds=10, at="2026-01-01T00:00:00Z", arrivals=[150], good=[149], in_flight=[9]
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A state directory with a journal of three steps and a burst."""
    made = Home(tmp_path)
    journal.start(made, header())
    for step in STEPS:
        journal.append(made, step)
    journal.append(made, BURST)
    return made


def header(*names: str) -> Header:
    return made_sweep(names or ["default"]).header


def test_what_was_written_is_read(home: Home) -> None:
    sweep = journal.read(home)
    assert sweep is not None
    assert (sweep.header, sweep.steps, sweep.bursts) == (header(), STEPS, [BURST])
    journal.finish(home)
    assert journal.read(home) is None


def test_a_line_that_was_cut_off_by_a_crash_is_left_out_and_the_next_is_whole(home: Home) -> None:
    file = journal.path(home)
    file.write_bytes(file.read_bytes()[:-20])
    sweep = journal.resume(home, header())
    assert (len(sweep.steps), sweep.bursts) == (3, [])
    journal.append(home, BURST)
    assert (read := journal.read(home)) is not None
    assert read.bursts == [BURST]


def test_a_damaged_line_is_named(home: Home) -> None:
    file = journal.path(home)
    file.write_bytes(file.read_bytes().replace(b'"offered_per_second":150.0', b'"offered_per_second":-1'))
    with pytest.raises(LabError, match=r"sweep\.jsonl:3 is damaged .*offered_per_second.*--fresh"):
        journal.read(home)


def test_an_empty_journal_is_damaged_at_its_first_line(home: Home) -> None:
    journal.path(home).write_bytes(b"")
    with pytest.raises(LabError, match=r"sweep\.jsonl:1 is damaged"):
        journal.read(home)


def test_an_unfinished_sweep_of_other_configurations_is_not_mixed_in(home: Home) -> None:
    with pytest.raises(UsageError, match="measured default; --fresh"):
        journal.resume(home, header("default", "feed-1"))


def test_a_step_says_its_goodput_and_its_cost() -> None:
    step = msgspec.structs.replace(STEPS[0], good=600, seconds=6.0, arrivals=1000, cpu_seconds={"a": 3.0, "b": 2.0})
    assert isinstance(step, Step)
    assert (step.goodput_per_second, step.cpu_ms_per_request) == (100.0, 5.0)
