"""Cleans the PromQL of specs so that it is safe to put between parentheses in a rule.

Comments are removed, because they would swallow whatever a rule appends on the same line. Every bracket and quote must
be closed, so that `(query)` contains the query and nothing else. Whitespace that PromQL does not allow is rejected,
because Prometheus would not load the rule.
"""

from __future__ import annotations

import re
import unicodedata

_TOKEN = re.compile(
    r"""
      (?P<string> "(?:\\[^\n]|[^"\\\n])*" | '(?:\\[^\n]|[^'\\\n])*' | `[^`]*` )
    | (?P<comment> \#[^\r\n]* )
    | (?P<template> \{\{ .*? \}\} | \{\{ )
    | (?P<open> [(\[{] ) | (?P<close> [)\]}] ) | (?P<quote> ["'`] )
    | (?P<rest> [^"'`\#()\[\]{}]+ )
    """,
    re.VERBOSE | re.DOTALL,
)
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_BLANK = " \t\r\n"


def clean(text: str) -> str:
    """The query without comments and surrounding whitespace. Raises ValueError with a one-line message."""
    written: list[str] = []
    opened: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match[0]
        if match.lastgroup == "comment":
            if written:
                written[-1] = written[-1].rstrip(" \t")
            continue
        if match.lastgroup == "quote":
            raise ValueError(f"the quote {token} is never closed")
        if match.lastgroup == "open":
            opened.append(token)
        elif match.lastgroup == "close" and (not opened or _PAIRS[opened.pop()] != token):
            raise ValueError(f"{token} has no opening bracket")
        elif match.lastgroup == "rest":
            _refuse_unknown(token)
        written.append(token)
    if opened:
        raise ValueError(f"{opened[-1]} is never closed")
    return "".join(written).strip(_BLANK)


def _refuse_unknown(token: str) -> None:
    for character in token:
        if not character.isprintable() and character not in _BLANK:
            name = unicodedata.name(character, "a control character")
            raise ValueError(
                f"contains U+{ord(character):04X} ({name}), which PromQL does not allow; use a plain space or remove it"
            )
