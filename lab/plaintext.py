"""Sanitises strings from outside so that they are safe to store, encode and print."""

from __future__ import annotations

import re
from typing import Any

# C0 and C1 control characters except tab and line feed, DEL, and lone surrogates (JSON can carry one).
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def plain(text: str, limit: int | None = None) -> str:
    """`text` with every unprintable character replaced by U+FFFD, and cut with a note after `limit` characters."""
    kept = text if limit is None else text[:limit]
    kept = _UNPRINTABLE.sub(_REPLACEMENT, kept.replace("\r\n", "\n"))
    return kept if limit is None or len(text) <= limit else f"{kept}… (cut; {len(text)} characters in all)"


def plain_json(value: Any) -> Any:
    """A decoded JSON value with `plain` applied to every string in it, keys included."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, list):
        return [plain_json(item) for item in value]
    if isinstance(value, dict):
        return {plain(key): plain_json(item) for key, item in value.items()}
    return value
