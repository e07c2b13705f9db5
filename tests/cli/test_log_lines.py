"""`fleetops logs`: formatted lines for people on a terminal, lines as written for everything else."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from lab.cli import main, text
from lab.cli.logs import readable
from lab.stack.logs import Line

AT = 1767225609.25  # 2026-01-01T00:00:09.250Z
REQUEST = {
    "ts": "2026-01-01T00:00:09.250Z", "level": "warning", "service": "feed", "instance": "feed-1", "version": "1.0.0",
    "event": "request", "trace_id": "4bf9", "span_id": "aa", "request_id": "bb", "route": "/v1/feed/{user_id}",
    "path": "/v1/feed/7", "status": 503, "reason": "no answer",
}  # fmt: skip


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log of feed-1 with one request."""
    monkeypatch.setenv("FLEETOPS_HOME", str(tmp_path))
    path = tmp_path / "logs" / "feed-1.log"
    path.parent.mkdir()
    path.write_text(json.dumps(REQUEST) + "\n")
    return path


def shown(value: object, *, color: bool = False) -> str:
    return readable(Line(AT, "feed-1", value if isinstance(value, str) else json.dumps(value)), color=color)


def test_a_line_is_time_level_process_event_and_the_fields_that_matter() -> None:
    assert shown(REQUEST) == (
        '00:00:09.250 warning feed-1         request path=/v1/feed/7 status=503 reason="no answer" trace_id=4bf9'
    )


def test_lines_of_other_programs_have_the_same_form() -> None:
    prometheus = {"time": "2026-01-01T00:00:09.25Z", "level": "INFO", "source": "main.go:191", "msg": "Ready", "n": 1}
    assert shown(prometheus) == "00:00:09.250 info    feed-1         Ready n=1"
    assert shown("17439:M # WARNING overcommit").endswith(" feed-1         17439:M # WARNING overcommit")
    assert shown("[1, 2]").endswith(" [1, 2]")
    assert readable(Line(0.0, "valkey", "no time"), color=False).split() == ["-", "valkey", "no", "time"]


def test_an_exception_is_shown_on_its_own_lines() -> None:
    lines = shown({**REQUEST, "exception": "Traceback\n  File x\nValueError: y"}).splitlines()
    assert lines[1:] == ["    Traceback", "      File x", "    ValueError: y"]


def test_control_characters_never_reach_the_terminal() -> None:
    assert "\x1b" not in shown({"event": "a\x1b[2Jb", "x\x1b": "\x07"}) + shown("a\x1b[2Jb")


def test_the_level_is_coloured_and_nothing_else_changes() -> None:
    colored = shown(REQUEST, color=True)
    assert "\x1b[33mwarning" in colored
    assert click.unstyle(colored) == shown(REQUEST)


@pytest.mark.parametrize(
    ("terminal", "options", "formatted"), [(True, [], True), (True, ["--json"], False), (False, [], False)]
)
def test_lines_are_formatted_only_on_a_terminal_and_without_json(
    log: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    terminal: bool,
    options: list[str],
    formatted: bool,
) -> None:
    monkeypatch.setattr(text, "on_terminal", lambda: terminal)
    assert main.run(["logs", "feed", *options]) == 0
    out = capsys.readouterr().out
    assert click.unstyle(out) == (shown(REQUEST) + "\n" if formatted else log.read_text())
