"""Structured logs on stdout: one JSON object per line, with the current trace.

Every line has ts (UTC, RFC 3339), level, service, instance, version and event. Lines written while a request is served
also have trace_id, span_id and request_id.
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
    """stdout as bytes. A closed pipe or a full disk must not turn responses into errors."""

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
    """Puts time, level and the identity of the process first on every line."""

    def __init__(self, settings: Settings) -> None:
        self._identity = {"service": settings.service, "instance": settings.instance, "version": settings.version}

    def __call__(self, _logger: object, level: str, event: Event) -> Event:
        line: Event = {
            "ts": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": level,
        }
        line.update(self._identity)
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
    """Drops lines below a level that can be changed at run time."""

    def __init__(self) -> None:
        self.level = logging.INFO

    def __call__(self, _logger: object, level: str, event: Event) -> Event:
        if _NUMBERS.get(level, logging.ERROR) < self.level:
            raise structlog.DropEvent
        return event


_NUMBERS = {name: getattr(logging, name.upper()) for name in LOG_LEVELS}
_threshold = _Threshold()


class _FromStandardLibrary(logging.Handler):
    """Writes the records of libraries (waitress, urllib3, psycopg) to the same stream."""

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
    """Sends all logs of this process, including those of libraries, to stdout as JSON lines."""
    structlog.configure(
        processors=[_threshold, _Identity(settings), _render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.BytesLoggerFactory(cast(BinaryIO, _Output())),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_FromStandardLibrary()]
    set_level(settings.log_level)
    # The queue's length is a gauge; a log line per queued request would make an overload worse.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # Failed calls to a replica are counted, and logged with their trace, by lab/services/upstream.py.
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def set_level(level: str) -> str:
    """Sets the lowest level that is logged, one of LOG_LEVELS. Returns the previous one."""
    old = current_level()
    _threshold.level = _NUMBERS[level]
    # Debug lines of the libraries are about their internals, so they are not logged.
    logging.getLogger().setLevel(max(_threshold.level, logging.WARNING))
    return old


def current_level() -> str:
    """The lowest level that is logged."""
    return next(name for name, number in _NUMBERS.items() if number == _threshold.level)


def shows_debug() -> bool:
    """Whether debug lines are logged. Check it before building a line that is expensive."""
    return _threshold.level <= logging.DEBUG


def get() -> Any:
    """The logger: `get().info("event", key=value)`."""
    return structlog.get_logger()
