"""JSON that others wrote, read strictly: what one parser accepts and the next one refuses is refused here.

Python's own parser recurses once a level of nesting, keeps the last of two equal keys, reads NaN, integers of any
length and halves of surrogate pairs, and guesses the encoding. Each of these breaks something further in.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

# Alertmanager's notifications are 4 deep.
MAX_DEPTH = 64
# A string, or a bracket outside of one. A string that never ends is matched to the end of the text: one pass, always.
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class JsonError(ValueError):
    """The text cannot be read as JSON. The message is a predicate: "is not UTF-8"."""


def parse(data: bytes | str, *, keep_surrogates: bool = False) -> Any:
    """The value that `data` (UTF-8) holds.

    Raises JsonError for anything that is not UTF-8 or not RFC 8259 JSON, for more than MAX_DEPTH levels of nesting, a
    key written twice, a number beyond 64 bits, and half of a surrogate pair, which no UTF-8 can hold. With
    `keep_surrogates` the last passes: for a caller that makes text plain itself rather than lose what else is said.
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise JsonError(f"is not UTF-8 (byte {problem.start})") from None
    _check_depth(text)
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_constant, parse_int=_integer, parse_float=_finite
        )
    except json.JSONDecodeError as problem:
        raise JsonError(f"is not JSON ({problem.msg}, line {problem.lineno} column {problem.colno})") from None
    if not keep_surrogates and "\\ud" in text.lower():
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise JsonError("holds half of a surrogate pair, which is no character") from None
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for found in _STRUCTURE.finditer(text):
        mark = text[found.start()]
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise JsonError(f"is nested more than {MAX_DEPTH} levels deep")
        elif mark in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise JsonError(f"has the key {twice!r:.80} twice")
    return found


def _constant(name: str) -> NoReturn:
    raise JsonError(f"holds {name}, which is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:
        raise JsonError(f"holds {digits:.30}, a number beyond 64 bits")
    return int(digits)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise JsonError(f"holds {text:.30}, a number beyond 64 bits")
    return number
