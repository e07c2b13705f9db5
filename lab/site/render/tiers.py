"""The names of alert tiers on pages. Rule labels, windows files and records keep Sloth's `quick` and `slow`."""

from __future__ import annotations

import re

_SPEEDS = {"quick": "fast", "slow": "slow"}
_NAME = re.compile(r"\b(page|ticket)\.(quick|slow)\b")


def tier_words(text: str) -> str:
    """The text with every tier's key in words: `page.quick` is `fast-burn page`."""
    return _NAME.sub(lambda match: f"{_SPEEDS[match[2]]}-burn {match[1]}", text)
