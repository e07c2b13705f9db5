"""Parses and formats Prometheus durations such as 1h30m."""

from __future__ import annotations

import re

_UNITS = {"y": 365 * 86400, "w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_FORM = re.compile("".join(rf"(?:([0-9]{{1,12}}){unit})?" for unit in _UNITS))
_LONGEST_SECONDS = 100 * _UNITS["y"]  # Prometheus counts nanoseconds in 64 bits, which end at 292 years


def parse_duration(text: str) -> int:
    """The seconds of a duration: `1h30m` is 5400. Raises ValueError unless it is whole seconds, from 1 to 100 years."""
    match = _FORM.fullmatch(text)
    seconds = sum(int(n) * size for n, size in zip(match.groups(), _UNITS.values(), strict=True) if n) if match else 0
    if seconds <= 0:
        raise ValueError(f"{text!r} is not a duration; write one such as 5s, 30m or 3d")
    if seconds > _LONGEST_SECONDS:
        raise ValueError(f"{text!r} is longer than 100 years")
    return seconds


def format_duration(seconds: int) -> str:
    """A duration as Prometheus and Sloth write it: 5400 is 1h30m, 2419200 is 4w, 7776000 is 90d.

    Years and weeks are used only without a remainder. Raises ValueError below one second.
    """
    if seconds <= 0:
        raise ValueError(f"{seconds} s is not a duration")
    text, left = "", seconds
    for unit, size in _UNITS.items():
        if left < size or (unit in "yw" and left % size):
            continue
        text, left = f"{text}{left // size}{unit}", left % size
    return text
