"""`fleetops logs`: lines formatted for people on a terminal, or as they were written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from lab.cli import text
from lab.paths import home
from lab.plaintext import plain, plain_json

if TYPE_CHECKING:
    from lab.stack.logs import Line

LEVEL_COLORS = {"debug": "bright_black", "info": "green", "warn": "yellow", "warning": "yellow", "error": "red"}
# Fields with their own column, and fields of no use to a reader; `--json` prints all of them.
HIDDEN = {
    "ts", "time", "timestamp", "level", "event", "msg", "exception",
    "service", "instance", "version", "span_id", "request_id", "route", "source", "caller",
}  # fmt: skip


@click.command()
@click.argument("service")
@click.option("--trace", metavar="ID", help="Only lines of this trace.")
@click.option("--follow", "-f", is_flag=True, help="Continue with new lines as they are written.")
@click.option("--lines", "-n", type=click.IntRange(min=0), default=50, show_default=True, help="Number of last lines.")
@click.option("--json", "as_json", is_flag=True, help="Lines as written, JSON for the lab's own processes.")
def logs(service: str, trace: str | None, follow: bool, lines: int, as_json: bool) -> None:
    """Show the logs of a service.

    SERVICE is a service such as feed (all its replicas, merged by time) or one instance such as feed-1. On a terminal,
    lines are formatted: UTC time, level, instance, event, other fields; in colour unless NO_COLOR is set. With --json,
    or when the output is not a terminal, lines are printed as they were written.

    \b
    Examples:
      fleetops logs gateway --trace 4bf92f3577b34da6a3ce929d0e0e4736
      fleetops logs feed --follow --json
    """
    from lab.stack import logs as stack_logs

    paths = stack_logs.files(home(), service)
    new_lines = stack_logs.follow(paths, trace) if follow else ()
    render = _as_written if as_json or not text.on_terminal() else partial(readable, color=text.colored())
    _print_lines(stack_logs.last(paths, lines, trace), render)
    _print_lines(new_lines, render)


def _as_written(line: Line) -> str:
    return line.text


def _print_lines(lines: Iterable[Line], render: Callable[[Line], str]) -> None:
    for line in lines:
        click.echo(render(line))


def readable(line: Line, *, color: bool) -> str:
    """A line as text: UTC time, level, process, event, then its other fields as key=value; an exception on new lines.

    A line that is not a JSON object is shown whole after its process. Control characters are replaced.
    """
    parsed = _object(line.text)
    level = str(parsed.get("level", "")).lower()
    event = str(parsed.get("event", parsed.get("msg", ""))).replace("\n", " ") if parsed else plain(line.text)
    shown = sorted((key for key in parsed if key not in HIDDEN), key=lambda key: key == "trace_id")  # the id last
    fields = " ".join(f"{key}={_value(parsed[key])}" for key in shown)
    exception = "".join(f"\n    {row}" for row in str(parsed.get("exception", "")).splitlines())

    def style(text: str, **how: Any) -> str:
        return click.style(text, **how) if color and text else text

    time = f"{datetime.fromtimestamp(line.at, UTC):%H:%M:%S.%f}"[:12] if line.at else "-"
    parts = (
        style(f"{time:<12}", dim=True),
        style(f"{level:<7}", fg=LEVEL_COLORS.get(level)),
        f"{line.instance:<14}",
        event,
        style(fields, dim=True),
    )
    return " ".join(parts).rstrip() + exception


def _object(text: str) -> dict[str, Any]:
    """The JSON object of a line; empty if the line is not a JSON object."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return plain_json(parsed) if isinstance(parsed, dict) else {}


def _value(value: Any) -> str:
    if isinstance(value, str) and value and not any(character in value for character in ' "=\n\t'):
        return value
    return json.dumps(value, ensure_ascii=False)
