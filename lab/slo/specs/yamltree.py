"""Builds trees of YAML documents from the parser's events. Every scalar keeps its text and its line.

No Python values are constructed, so YAML 1.1's implicit types of 22:30, 0x1F, 2023-02-30 or `=` have no effect. Nothing
recurses deeper than `max_depth`, whatever a file contains.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULLS = {"", "~", "null", "Null", "NULL"}
_FLAGS = {
    form(word): flag
    for flag, words in ((True, ("true", "yes", "on")), (False, ("false", "no", "off")))
    for word in words
    for form in (str.lower, str.capitalize, str.upper)
}
# Decimal numbers only. YAML 1.1 and 1.2 disagree on 0123, 0x1F, 1_000 and 22:30, so none of them is a number here.
_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_CORE = "tag:yaml.org,2002:"
_TEXT, _SCALAR = {"!", f"{_CORE}str"}, {f"{_CORE}{name}" for name in ("int", "float", "bool", "null", "timestamp")}
_MAPPING, _SEQUENCE = {"!", f"{_CORE}map"}, {"!", f"{_CORE}seq"}


@dataclass
class Tree:
    """A scalar, a sequence (`items`) or a mapping (`pairs` of keys and values), in the order of the file."""

    line: int
    text: str = ""  # of a scalar, as written
    plain: bool = False  # an unquoted scalar, which may be a number, a flag or null
    items: list[Tree] | None = None
    pairs: list[tuple[Tree, Tree]] | None = None
    tag: str = ""  # a tag that is not supported

    @property
    def is_null(self) -> bool:
        """Whether this is a null scalar."""
        return self.plain and self.text in _NULLS

    @property
    def is_merge(self) -> bool:
        """Whether this is the merge key `<<`."""
        return self.plain and self.text == "<<"

    @property
    def value(self) -> str | bool | int | float | None:
        """The scalar as null, a flag or a number where its text is one; else the text."""
        if not self.plain:
            return self.text
        if self.text in _NULLS:
            return None
        if self.text in _FLAGS:
            return _FLAGS[self.text]
        if not _NUMBER.fullmatch(self.text):
            return self.text
        digits = self.text.lstrip("+-")
        return int(self.text) if digits.isdigit() and len(digits) <= 18 else float(self.text)


def documents(text: str, max_depth: int) -> Iterator[Tree]:
    """The root of each document. Raises yaml.YAMLError, at the latest when the iterator reaches the bad document."""
    events = yaml.parse(text, Loader=LOADER)
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            yield _Builder(events, max_depth).build(next(events), 0)


class _Builder:
    """Builds one document and resolves its anchors. An anchor may be redefined, as YAML allows."""

    def __init__(self, events: Iterator[Any], max_depth: int) -> None:
        self.events = events
        self.max_depth = max_depth
        self.anchors: dict[str, Tree] = {}

    def build(self, event: Any, depth: int) -> Tree:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise _marked(f"*{event.anchor} refers to an anchor that is not defined before it", event)
            return self.anchors[event.anchor]
        if depth > self.max_depth:
            raise _marked(f"is nested more than {self.max_depth} levels deep", event)
        tree = Tree(event.start_mark.line + 1)
        if event.anchor:
            self.anchors[event.anchor] = tree
        tag = event.tag or ""
        if isinstance(event, yaml.ScalarEvent):
            tree.text = _encodable(event)
            tree.plain = not event.style and tag not in _TEXT
            tree.tag = "" if tag in _TEXT | _SCALAR else tag
        elif isinstance(event, yaml.SequenceStartEvent):
            tree.tag = "" if tag in _SEQUENCE else tag
            tree.items = []
            while not isinstance(child := next(self.events), yaml.SequenceEndEvent):
                tree.items.append(self.build(child, depth + 1))
        else:
            tree.tag = "" if tag in _MAPPING else tag
            tree.pairs = []
            while not isinstance(child := next(self.events), yaml.MappingEndEvent):
                key = self.build(child, depth + 1)
                tree.pairs.append((key, self.build(next(self.events), depth + 1)))
        return tree


def _encodable(event: Any) -> str:
    """The scalar's text. Raises YAMLError when an escape such as "\\ud800" makes it impossible to encode."""
    text: str = event.value
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _marked("contains a lone surrogate", event) from None
    return text


def _marked(problem: str, event: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
