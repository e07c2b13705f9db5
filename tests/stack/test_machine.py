"""Whose processor time it was, and when others leave the lab too little."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from lab.names import CPU_SECONDS
from lab.slo import promtool
from lab.stack.health import machine
from lab.stack.health.machine import Spent

SPIN = "import time\nwhile time.process_time() < {seconds}: pass"


def test_what_a_family_takes_is_the_labs_and_the_rest_is_everybody_elses() -> None:
    lab, stranger = (7, 100.0), (8, 100.0)
    before = Spent(busy=50.0, idle=50.0, families={lab: 10.0})
    now = Spent(busy=53.0, idle=57.0, families={lab: 11.0, stranger: 40.0})
    assert now.since(before) == {"lab": 1.0, "others": 2.0, "idle": 7.0}, "a family that is new has no difference yet"


def test_no_share_is_ever_below_zero() -> None:
    """The clocks of the processes and of the machine are not read at the same instant."""
    lab = (7, 100.0)
    before, now = Spent(50.0, 50.0, {lab: 10.0}), Spent(51.0, 49.9, {lab: 12.0})
    assert now.since(before) == {"lab": 1.0, "others": 0.0, "idle": 0.0}
    assert Spent(50.0, 50.0, {lab: 1.0}).since(before)["lab"] == 0


@pytest.mark.parametrize("generations", [1, 2])
def test_processes_that_have_ended_count_too(generations: int) -> None:
    """A drill runs each command of a runbook in a process of its own, which lives for a second."""
    command = [sys.executable, "-c", SPIN.format(seconds=0.4)]
    for _ in range(generations - 1):
        command = [sys.executable, "-c", f"import subprocess; subprocess.run({command!r})"]
    before = Spent.now([os.getpid()])
    subprocess.run(command, check=True)
    spent = Spent.now([os.getpid()]).since(before)
    assert spent["lab"] > 0.15
    assert spent["lab"] + spent["others"] + spent["idle"] > 0.3


def test_a_process_that_has_ended_is_no_family() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert Spent.now([child.pid]).families == {}


def test_time_passes_also_where_nothing_is_done() -> None:
    before = Spent.now([])
    time.sleep(0.3)
    assert sum(Spent.now([]).since(before).values()) > 0.2


@pytest.mark.parametrize(
    ("lab", "others", "idle", "told"),
    [
        pytest.param("0.4", "0.05", "1.55", None, id="the lab alone at default traffic"),
        pytest.param("1.95", "0.04", "0.01", None, id="the lab alone in its worst drill"),
        pytest.param("0.5", "0.9", "0.6", None, id="somebody works, and there is room for both"),
        pytest.param("0.5", "1.5", "0", 0.75, id="somebody takes all that the lab leaves"),
        pytest.param("1.4", "0.58", "0.02", 0.29, id="the lab wants more than is left"),
    ],
)
def test_the_machine_is_too_busy_where_others_leave_nothing_idle(
    tmp_path: Path, lab: str, others: str, idle: str, told: float | None
) -> None:
    """Two processors; each share in seconds a second."""
    series = [
        {"series": f'{CPU_SECONDS}{{by="{by}"}}', "values": f"0+{rate}x30"}
        for by, rate in (("lab", lab), ("others", others), ("idle", idle))
    ]
    look = {
        "eval_time": "30s",
        "expr": f"round({machine.too_busy_query()}, 0.01)",
        "exp_samples": [] if told is None else [{"labels": "{}", "value": told}],
    }
    test = {
        "evaluation_interval": "1s",
        "tests": [{"interval": "1s", "input_series": series, "promql_expr_test": [look]}],
    }
    (tmp_path / "case.test.yml").write_text(yaml.safe_dump(test))
    result = promtool.run(["test", "rules", tmp_path / "case.test.yml"])
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_person_is_told_what_takes_the_processors() -> None:
    assert machine.too_busy(0.749).startswith(
        "this machine is too busy: other programs take 75% of its processors and leave none idle"
    )
