"""The series that a query names: each must be one that a process registers, a rule records or a program brings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache

from lab.errors import LabError
from lab.promql_tokens import tokens
from lab.site.sources.context import Book

# What Prometheus makes itself, what Alertmanager exports, and what every Python process does.
FOREIGN = re.compile(r"(?:up|ALERTS|ALERTS_FOR_STATE|alertmanager_\w+|prometheus_\w+|process_\w+|python_\w+)$")
_COMMAND = re.compile(r"fleetops query '([^']*)'")
_LABELS = re.compile(r"\{[^}]*\}|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_PARTS = {"histogram": ("_bucket", "_sum", "_count")}


@cache
def series(query: str) -> tuple[str, ...]:
    """The names of a query's series, in order; labels and functions are none."""
    bare = tokens(_LABELS.sub(" ", query))
    after = [next((text for _, text in bare[at + 1 :] if text.strip()), "") for at in range(len(bare))]
    return tuple(
        dict.fromkeys(text for (kind, text), then in zip(bare, after, strict=True) if kind == "nv" and then != "(")
    )


def require(book: Book, place: str, query: str) -> None:
    """LabError naming the place and the closest series there is, when a query asks for one that nobody has."""
    known = known_series(book)
    for name in series(query):
        if name not in known and not FOREIGN.match(name):
            close = get_close_matches(name, known, 1)
            hint = f"; {close[0]} comes from {known[close[0]]}" if close else ""
            raise LabError(f"{place} asks for {name}, which nothing in lab/ registers and no rule records{hint}")


def known_series(book: Book) -> dict[str, str]:
    """Every series of our own processes and of the rules, and the file that it comes from."""
    ours = {metric.name + part: metric.module for metric in book.metrics for part in _PARTS.get(metric.kind, ("",))}
    return ours | book.rule_files.recorded


def asked(markdown: str) -> Iterator[tuple[int, str]]:
    """(line, query) of every `fleetops query` command of a page."""
    for number, line in enumerate(markdown.splitlines(), 1):
        for query in _COMMAND.findall(line):
            yield number, query
