"""Logs: one JSON object a line on stdout, with the trace they belong to.

Keys every line has: ts (UTC, RFC 3339), level, service, instance, version, event. Lines written while
a request is served also have trace_id, span_id and request_id.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

import structlog

from lab.telemetry import trace
from lab.telemetry.settings import LOG_LEVELS, Settings

Event = MutableMapping[str, Any]


class _Output:
    """stdout as bytes; a reader that went away, or a full disk, must not turn answers into errors."""

    def write(self, line: bytes) -> int:
        try:
            return sys.stdout.buffer.write(line)
        except (OSError, ValueError):
            return 0

    def flush(self) -> None:
        try:
            sys.stdout.buffer.flush()
        except (OSError, ValueError):
            return


class _Identity:
    """Puts time, level and who is speaking first on every line."""

    def __init__(self, settings: Settings) -> None:
        self._who = {"service": settings.service, "instance": settings.instance, "version": settings.version}

    def __call__(self, _logger: object, level: str, event: Event) -> Event:
        line: Event = {
            "ts": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": level,
        }
        line.update(self._who)
        line["event"] = event.pop("event", "")
        line.update(trace.log_fields())
        line.update(event)
        return line


def _render(_logger: object, _level: str, event: Event) -> bytes:
    problem = event.pop("exc_info", None)
    if problem is True:
        problem = sys.exception()
    if isinstance(problem, BaseException):
        event["exception"] = "".join(traceback.format_exception(problem))
    return json.dumps(event, default=str, separators=(",", ":")).encode("utf-8", "backslashreplace")


class _Threshold:
    """Drops lines below a level that can be changed while loggers are in use."""

    def __init__(self) -> None:
        self.level = logging.INFO

    def __call__(self, _logger: object, level: str, event: Event) -> Event:
        if _NUMBERS.get(level, logging.ERROR) < self.level:
            raise structlog.DropEvent
        return event


_NUMBERS = {name: getattr(logging, name.upper()) for name in LOG_LEVELS}
_threshold = _Threshold()


class _FromStandardLibrary(logging.Handler):
    """Carries records of libraries (waitress, urllib3, psycopg) into the same stream."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            fields["exc_info"] = record.exc_info[1]
        log = structlog.get_logger()
        level = (
            "error" if record.levelno >= logging.ERROR else "warning" if record.levelno >= logging.WARNING else "info"
        )
        getattr(log, level)(record.getMessage(), **fields)


def configure(settings: Settings) -> None:
    """Sends this process's logs, ours and the libraries', to stdout as JSON lines."""
    structlog.configure(
        processors=[_threshold, _Identity(settings), _render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.BytesLoggerFactory(cast(BinaryIO, _Output())),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_FromStandardLibrary()]
    set_level(settings.log_level)
    # A full queue is a gauge of ours; one line a request would be a second incident.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # Every request that meets a dead replica is counted and logged by the client with its trace.
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def set_level(level: str) -> str:
    """Writes lines of `level` and above from now on; returns the level until now. `level` is one of LOG_LEVELS."""
    old = current_level()
    _threshold.level = _NUMBERS[level]
    # The libraries' own debug lines are about them, not about us.
    logging.getLogger().setLevel(max(_threshold.level, logging.WARNING))
    return old


def current_level() -> str:
    """The lowest level that is written."""
    return next(name for name, number in _NUMBERS.items() if number == _threshold.level)


def shows_debug() -> bool:
    """Whether debug lines are written: what is dear to tell is put together only then."""
    return _threshold.level <= logging.DEBUG


def get() -> Any:
    """The logger: `get().info("event", key=value)`."""
    return structlog.get_logger()
