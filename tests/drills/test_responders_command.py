"""A page handed to a program: what it is told, what it is given, and that it cannot outstay its time."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import documents
import pytest
from polling import eventually

from lab.drills.run.responders import check_program
from lab.drills.runbook.execute import TIMED_OUT, hand_over
from lab.errors import UsageError
from lab.stack.state import is_alive

PAGE = documents.page(runbook_url="http://lab/03_runbooks/#feedlatencyp99burn")


def script(tmp_path: Path, text: str) -> tuple[str, ...]:
    file = tmp_path / "responder.py"
    file.write_text(text)
    return (sys.executable, str(file), "--verbose")


def test_it_reads_the_page_types_fleetops_acts_under_its_name_and_what_it_says_is_heard(tmp_path: Path) -> None:
    program = script(
        tmp_path,
        "import json, os, shutil, subprocess, sys\n"
        "page = json.load(sys.stdin)\n"
        "print(page['id'], sys.argv[1], os.environ['FLEETOPS_ACTOR'])\n"
        "print('to stderr', file=sys.stderr)\n"
        "sys.exit(subprocess.run(['fleetops', 'drill', 'list', '--json'], stdout=open('list.json', 'w'),"
        " cwd=os.path.dirname(sys.argv[0])).returncode or 3)\n".replace(
            "'list.json'", f"{str(tmp_path / 'list.json')!r}"
        ),
    )
    heard: list[str] = []
    assert hand_over(program, PAGE, "command-responder", 60, heard.append) == 3
    assert sorted(heard) == ["7 --verbose command-responder", "to stderr"]
    assert {row["id"] for row in json.loads((tmp_path / "list.json").read_text())} >= {"INC-001", "D0"}


def test_a_program_that_reads_nothing_and_one_that_stays_too_long_are_ended_with_all_they_started(
    tmp_path: Path,
) -> None:
    assert (
        hand_over(script(tmp_path, "import os; os.close(0)"), documents.page(summary="x" * 1_000_000), "a", 60, print)
        == 0
    )
    heard: list[str] = []
    program = script(
        tmp_path,
        "import subprocess, sys, time\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, flush=True)\n"
        "time.sleep(600)\n",
    )
    began = time.monotonic()
    assert hand_over(program, PAGE, "a", 3, heard.append) == TIMED_OUT
    assert time.monotonic() - began < 60
    assert eventually(lambda: not is_alive(int(heard[0])), 20)


@pytest.mark.parametrize(
    ("responder", "program", "named"),
    [
        ("command", (), "needs a program"),
        ("command", ("no-such-agent",), "'no-such-agent'"),
        ("autopilot", ("true",), "autopilot runs no program"),
    ],
)
def test_a_program_that_cannot_be_run_or_would_not_be_is_refused_before_anything_is_broken(
    responder: str, program: tuple[str, ...], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        check_program(responder, program)
