"""Timestamps as strings and back: UTC, RFC 3339, milliseconds, a trailing Z."""

from __future__ import annotations

from datetime import UTC, datetime

from lab.errors import UsageError

_UNWANTED = str.maketrans("", "", "-:.Z")


def utc_text(epoch_seconds: float) -> str:
    """Epoch seconds as a string such as `2026-01-31T12:00:00.250Z`."""
    moment = datetime.fromtimestamp(round(epoch_seconds, 3), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def compact(text: str) -> str:
    """A timestamp of `utc_text`, or its beginning, as ids and file names have it: `20260131T120000250`."""
    return text.translate(_UNWANTED)


def epoch_seconds(text: str) -> float:
    """A timestamp in epoch seconds.

    Raises UsageError when `text` is not a timestamp, has no time zone, or lies outside the years 1 to 9999 of UTC.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            utc_text(seconds := moment.timestamp())
            return seconds
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"{text[:40]!r} is not a timestamp such as 2026-01-31T12:00:00Z")
