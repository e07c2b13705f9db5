"""Processor time and memory of supervised processes, and memory of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from lab.errors import NotRunning
from lab.paths import Home, Ports
from lab.stack import replicas
from lab.stack.exporter import processes
from lab.stack.exporter.machine import MemoryCollector
from lab.stack.exporter.processes import ProcessSampler, Usage, usage
from lab.stack.processes.supervision import Supervisor

CHILD_SECONDS, CHILD_MIB = 0.3, 64
WORK = f"""
import time
kept = bytearray({CHILD_MIB} << 20)
while time.process_time() < {CHILD_SECONDS}: pass
print("done", flush=True)
input()
"""


@contextmanager
def running(program: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        yield process
    finally:
        process.communicate("\n")


def test_a_process_has_the_time_and_the_memory_of_its_descendants() -> None:
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WORK!r}])"
    with running(parent) as process:
        used = usage({"feed-1": process.pid})["feed-1"]
    assert used.cpu_seconds > 0.9 * CHILD_SECONDS
    assert used.memory_bytes > CHILD_MIB << 20


def test_a_supervised_process_below_another_one_counts_as_its_own() -> None:
    """As every program is a descendant of supervisord, and a helper may be one of a program."""
    with running(WORK) as process:
        used = usage({"parent": os.getpid(), "child": process.pid})
        alone = usage({"parent": os.getpid()})
    assert used["child"].memory_bytes > CHILD_MIB << 20
    assert alone["parent"].memory_bytes - used["parent"].memory_bytes > CHILD_MIB << 19


def test_a_process_that_has_ended_has_no_usage() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    ended = psutil.Process(child.pid)
    child.wait()
    assert usage({"feed-1": child.pid}) == {}
    assert processes._sum(child.pid, [ended]) is None, "it ended while the others were read"


def test_process_ids_in_a_circle_end_the_search() -> None:
    assert processes._root(7, {7: 8, 8: 7}, {1: "feed-1"}) is None
    assert processes._root(7, {7: 8, 8: 1, 1: 0}, {1: "feed-1"}) == 1
    assert processes._root(None, {}, {1: "feed-1"}) is None


@pytest.fixture
def pids(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The programs that supervisord reports as running."""
    ids: dict[str, int] = {}
    monkeypatch.setattr(Supervisor, "pids", lambda _: dict(ids))
    return ids


@pytest.fixture
def sampler(tmp_path: Path) -> ProcessSampler:
    home = Home(tmp_path)
    return ProcessSampler(home, replicas.known(home, Ports(8000)).values())


def samples(sampler: ProcessSampler) -> dict[str, dict[tuple[str, str], float]]:
    """Metric → (process, service) → value."""
    sampler.sample()
    return {
        sample_name: {
            (s.labels["process"], s.labels["service"]): s.value for s in family.samples if s.name == sample_name
        }
        for family in sampler.collect()
        for sample_name in {s.name for s in family.samples}
    }


def test_each_running_program_has_its_series_with_the_service_label_of_its_starts(
    sampler: ProcessSampler, pids: dict[str, int]
) -> None:
    with running(WORK) as process:
        pids |= {"feed-canary-1": process.pid, "postgres": os.getpid()}
        found = samples(sampler)
    assert found.keys() == {"supervised_process_cpu_seconds_total", "supervised_process_resident_memory_bytes"}
    for values in found.values():
        assert values.keys() == {("feed-canary-1", "feed"), ("postgres", "postgres")}
    assert found["supervised_process_cpu_seconds_total"]["feed-canary-1", "feed"] > 0.9 * CHILD_SECONDS


def test_a_replica_that_is_scaled_away_has_no_series_any_more(sampler: ProcessSampler, pids: dict[str, int]) -> None:
    pids |= {"feed-1": os.getpid(), "feed-3": os.getppid()}
    assert len(samples(sampler)["supervised_process_cpu_seconds_total"]) == 2
    del pids["feed-3"]
    assert samples(sampler)["supervised_process_cpu_seconds_total"].keys() == {("feed-1", "feed")}


def test_without_supervisord_there_is_no_series(
    sampler: ProcessSampler, pids: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_there(_: Supervisor) -> dict[str, int]:
        raise NotRunning("no lab runs")

    pids["feed-1"] = os.getpid()
    assert samples(sampler)
    monkeypatch.setattr(Supervisor, "pids", not_there)
    assert samples(sampler) == {}


def test_the_counter_of_a_process_never_decreases_and_a_new_process_starts_again(
    sampler: ProcessSampler, pids: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = [Usage(7, 5.0, 10), Usage(7, 4.0, 9), Usage(8, 0.5, 8)]
    monkeypatch.setattr(processes, "usage", lambda _: {"postgres": readings.pop(0)})
    found = [samples(sampler) for _ in range(3)]
    key = "postgres", "postgres"
    assert [one["supervised_process_cpu_seconds_total"][key] for one in found] == [5.0, 5.0, 0.5]
    assert [one["supervised_process_resident_memory_bytes"][key] for one in found] == [10, 9, 8]


def test_the_memory_of_the_machine_is_total_and_available() -> None:
    total, available = (family.samples[0] for family in MemoryCollector().collect())
    assert (total.name, available.name) == ("machine_memory_total_bytes", "machine_memory_available_bytes")
    assert total.value == psutil.virtual_memory().total
    assert 0 < available.value < total.value
