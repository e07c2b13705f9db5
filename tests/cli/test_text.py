"""Tables and lists on a terminal: aligned columns under their headings."""

from __future__ import annotations

import io
import sys

import pytest

from lab.cli import stack, text
from lab.control.spool import Backlog
from lab.stack.health.status import Status
from lab.stack.processes.supervision import ProcessRow


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_end_together(capsys: pytest.CaptureFixture[str]) -> None:
    text.table(("NAME", "SIZE"), [("gateway", "7 MiB"), ("db", "128 MiB")], "nothing", right=("SIZE",))
    assert capsys.readouterr().out.splitlines() == [
        "NAME        SIZE",
        "gateway    7 MiB",
        "db       128 MiB",
    ]


def test_a_table_without_rows_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    text.table(("NAME", "SIZE"), [], "nothing", right=("SIZE",))
    assert capsys.readouterr().out == "nothing\n"


def test_no_line_ends_with_spaces(capsys: pytest.CaptureFixture[str]) -> None:
    text.fields([("a", "long value"), ("longer name", "")])
    assert capsys.readouterr().out == "a            long value\nlonger name\n"


@pytest.mark.parametrize(
    ("terminal", "no_color", "colored"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_colours_need_a_terminal_and_no_color_turns_them_off(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, no_color: str, colored: bool
) -> None:
    output = io.StringIO()
    monkeypatch.setattr(output, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setenv("NO_COLOR", no_color)
    assert text.colored() is colored


def test_status_is_a_table_of_processes_then_facts_then_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    processes = [
        ProcessRow("gateway", "gateway", 71, "running", 40 << 20, 30 << 20, 0),
        ProcessRow("feed-1", "feed", None, "backoff", 0, 0, 12),
    ]
    urls = {"console": "http://127.0.0.1:8000", "gateway": "http://127.0.0.1:8010"}
    status = Status(True, urls, "http://127.0.0.1:8000/?key=1", processes, ["feed-1: backoff"], open_pages=2)
    stack._print_status(status, Backlog(0, None, 0, ""))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "PROCESS  STATE    PID   MEMORY  RESTARTS",
        "gateway  running   71   40 MiB         -",
        "feed-1   backoff    -  0.0 MiB        12",
        "total                   40 MiB",
    ]
    facts = dict(line.split("  ", 1) for line in lines[5:-2])
    assert facts["console"].strip() == "http://127.0.0.1:8000/?key=1"
    assert facts["open pages"].strip() == "2"
    assert lines[-1] == "not ready: feed-1: backoff"
