"""Log lines for people: time, level, process, event and the fields that help to read it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from lab.plaintext import plain, plain_json

if TYPE_CHECKING:
    from lab.stack.logs import Line

LEVEL_COLORS = {"debug": "bright_black", "info": "green", "warn": "yellow", "warning": "yellow", "error": "red"}
# Shown in their own column, or of no help to a reader; `--json` has all fields.
HIDDEN = {
    "ts", "time", "timestamp", "level", "event", "msg", "exception",
    "service", "instance", "version", "span_id", "request_id", "route", "source", "caller",
}  # fmt: skip


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
    """The JSON object of a line; empty when it is none."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return plain_json(parsed) if isinstance(parsed, dict) else {}


def _value(value: Any) -> str:
    if isinstance(value, str) and value and not any(character in value for character in ' "=\n\t'):
        return value
    return json.dumps(value, ensure_ascii=False)
