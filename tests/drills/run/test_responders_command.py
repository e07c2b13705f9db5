"""A program as the responder: its input and environment, and that it ends at its time limit."""

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


def test_a_program_gets_the_page_and_fleetops_and_its_output_is_forwarded(tmp_path: Path) -> None:
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
    lines: list[str] = []
    assert hand_over(program, PAGE, "command-responder", 60, lines.append) == 3
    assert sorted(lines) == ["7 --verbose command-responder", "to stderr"]
    assert {row["id"] for row in json.loads((tmp_path / "list.json").read_text())} >= {"INC-001", "D0"}


def test_a_program_may_ignore_its_input_and_is_killed_with_its_children_at_the_limit(tmp_path: Path) -> None:
    assert (
        hand_over(script(tmp_path, "import os; os.close(0)"), documents.page(summary="x" * 1_000_000), "a", 60, print)
        == 0
    )
    lines: list[str] = []
    program = script(
        tmp_path,
        "import subprocess, sys, time\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, flush=True)\n"
        "time.sleep(600)\n",
    )
    began = time.monotonic()
    assert hand_over(program, PAGE, "a", 3, lines.append) == TIMED_OUT
    assert time.monotonic() - began < 60
    assert eventually(lambda: not is_alive(int(lines[0])), 20)


@pytest.mark.parametrize(
    ("responder", "program", "named"),
    [
        ("command", (), "needs a program"),
        ("command", ("no-such-agent",), "'no-such-agent'"),
        ("autopilot", ("true",), "autopilot runs no program"),
    ],
)
def test_a_missing_or_useless_program_is_refused_before_the_drill(
    responder: str, program: tuple[str, ...], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        check_program(responder, program)
