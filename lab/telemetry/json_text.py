"""A strict JSON parser for untrusted input. Rejects everything on which JSON parsers disagree.

Python's own parser recurses with each level of nesting, keeps the last of two equal keys, accepts NaN, integers of any
length and lone surrogates, and guesses the encoding. Each of these would break code that uses the value.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

# Alertmanager's notifications are 4 deep.
MAX_DEPTH = 64
# A string, or a bracket outside of one. An unterminated string matches to the end, so that one pass suffices.
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class JsonError(ValueError):
    """The text is not valid JSON. The message is a predicate, such as "is not UTF-8"."""


def parse(data: bytes | str, *, keep_surrogates: bool = False) -> Any:
    """The value of the JSON document `data` (UTF-8).

    Raises JsonError for anything that is not UTF-8 or not RFC 8259 JSON, for more than MAX_DEPTH levels of nesting, a
    duplicate key, a number beyond 64 bits, and a lone surrogate, which UTF-8 cannot encode. `keep_surrogates` allows
    surrogates, for callers that sanitise strings themselves (see `lab.plaintext`) rather than reject the document.
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
            raise JsonError("contains a lone surrogate, which is not a character") from None
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for match in _STRUCTURE.finditer(text):
        mark = text[match.start()]
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise JsonError(f"is nested more than {MAX_DEPTH} levels deep")
        elif mark in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique: dict[str, Any] = {}
    for key, value in pairs:
        if key in unique:
            raise JsonError(f"has the key {key!r:.80} twice")
        unique[key] = value
    return unique


def _constant(name: str) -> NoReturn:
    raise JsonError(f"contains {name}, which is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:
        raise JsonError(f"contains {digits:.30}, a number beyond 64 bits")
    return int(digits)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise JsonError(f"contains {text:.30}, a number beyond 64 bits")
    return number
