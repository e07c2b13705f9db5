"""Prometheus durations: text to seconds and back."""

from __future__ import annotations

import re

_UNITS = {"y": 365 * 86400, "w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_FORM = re.compile("".join(rf"(?:(\d+){unit})?" for unit in _UNITS))


def parse_duration(text: str) -> int:
    """`1h30m` is 5400 seconds. Raises ValueError on anything that is not a positive whole number of seconds."""
    match = _FORM.fullmatch(text)
    seconds = sum(int(n) * size for n, size in zip(match.groups(), _UNITS.values(), strict=True) if n) if match else 0
    if seconds <= 0:
        raise ValueError(f"{text!r} is not a duration; write one such as 5s, 30m or 3d")
    return seconds


def format_duration(seconds: int) -> str:
    """The shortest Prometheus form in one unit up to days: 5400 is 90m, 259200 is 3d."""
    if seconds <= 0:
        raise ValueError(f"{seconds} s is not a duration")
    for unit in ("d", "h", "m"):
        if seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"
