"""Processor time of the lab and of other programs, and when the machine is too busy."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import psutil
import pytest
import yaml

from lab.names import CPU_SECONDS
from lab.slo import promtool
from lab.stack.health import machine
from lab.stack.health.machine import CpuTimes

SPIN = "import time\nwhile time.process_time() < {seconds}: pass"


def test_a_process_tree_counts_as_the_lab_and_the_rest_as_others() -> None:
    lab, other = (7, 100.0), (8, 100.0)
    before = CpuTimes(busy=50.0, idle=50.0, trees={lab: 10.0})
    now = CpuTimes(busy=53.0, idle=57.0, trees={lab: 11.0, other: 40.0})
    assert now.since(before) == {"lab": 1.0, "others": 2.0, "idle": 7.0}, "a new tree has no earlier reading"


def test_no_share_is_negative() -> None:
    """The times of the processes and of the machine are not read at the same instant."""
    lab = (7, 100.0)
    before, now = CpuTimes(50.0, 50.0, {lab: 10.0}), CpuTimes(51.0, 49.9, {lab: 12.0})
    assert now.since(before) == {"lab": 1.0, "others": 0.0, "idle": 0.0}
    assert CpuTimes(50.0, 50.0, {lab: 1.0}).since(before)["lab"] == 0


@pytest.mark.parametrize("generations", [1, 2])
def test_ended_descendants_count_too(generations: int) -> None:
    """A drill runs each runbook command in its own short-lived process."""
    command = [sys.executable, "-c", SPIN.format(seconds=0.4)]
    for _ in range(generations - 1):
        command = [sys.executable, "-c", f"import subprocess; subprocess.run({command!r})"]
    before = CpuTimes.now([os.getpid()])
    subprocess.run(command, check=True)
    seconds = CpuTimes.now([os.getpid()]).since(before)
    assert seconds["lab"] > 0.15
    assert seconds["lab"] + seconds["others"] + seconds["idle"] > 0.3


def test_an_ended_root_has_no_tree() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert CpuTimes.now([child.pid]).trees == {}


def test_idle_time_is_counted() -> None:
    before = CpuTimes.now([])
    time.sleep(0.3)
    assert sum(CpuTimes.now([]).since(before).values()) > 0.2


@pytest.mark.parametrize(("own_priority", "busy", "idle"), [(0, 14.0, 47.0), (19, 21.0, 40.0)])
def test_programs_of_a_lower_priority_count_as_idle_unless_this_one_has_it_too(
    own_priority: int, busy: float, idle: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = namedtuple("times", "user nice system idle iowait guest guest_nice")
    monkeypatch.setattr(os, "nice", lambda _: own_priority)
    monkeypatch.setattr(psutil, "cpu_times", lambda: times(10.0, 7.0, 4.0, 38.0, 2.0, 0.0, 0.0))
    now = CpuTimes.now([])
    assert (now.busy, now.idle) == (busy, idle)


@pytest.mark.parametrize(
    ("lab", "others", "idle", "result"),
    [
        pytest.param("0.4", "0.05", "1.55", None, id="the lab alone at default traffic"),
        pytest.param("1.95", "0.04", "0.01", None, id="the lab alone in its worst drill"),
        pytest.param("0.5", "0.9", "0.6", None, id="others work, with idle time left"),
        pytest.param("0.5", "1.5", "0", 0.75, id="others use all that the lab leaves"),
        pytest.param("1.4", "0.58", "0.02", 0.29, id="the lab needs more than is left"),
    ],
)
def test_the_machine_is_too_busy_when_others_leave_no_idle_time(
    tmp_path: Path, lab: str, others: str, idle: str, result: float | None
) -> None:
    """Two processors; each rate in processor seconds a second."""
    series = [
        {"series": f'{CPU_SECONDS}{{by="{by}"}}', "values": f"0+{rate}x30"}
        for by, rate in (("lab", lab), ("others", others), ("idle", idle))
    ]
    evaluation = {
        "eval_time": "30s",
        "expr": f"round({machine.too_busy_query()}, 0.01)",
        "exp_samples": [] if result is None else [{"labels": "{}", "value": result}],
    }
    test = {
        "evaluation_interval": "1s",
        "tests": [{"interval": "1s", "input_series": series, "promql_expr_test": [evaluation]}],
    }
    (tmp_path / "case.test.yml").write_text(yaml.safe_dump(test))
    done = promtool.run(["test", "rules", tmp_path / "case.test.yml"])
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_message_has_the_share_of_other_programs() -> None:
    assert machine.too_busy(0.749).startswith(
        "this machine is too busy: other programs use 75% of its processors and leave none idle"
    )
