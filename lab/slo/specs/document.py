"""YAML documents whose values keep their file, line and key, so that an error can name all three.

Scalars keep the text that is written: a label 1.10 is "1.10", and 2023-02-30 is a string. They become a number or a
flag only when a reader asks for one. The tree of a document is built in `lab.slo.specs.yamltree`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.errors import SpecError
from lab.slo.specs.yamltree import LOADER, Tree, documents

__all__ = ["LOADER", "Node", "read_documents"]

# An alias may refer to its own parent, or multiply its values at every level.
_MAX_DEPTH = 40
_MAX_ALIASED = 100_000
_KEY = re.compile(r"[\s-]*([A-Za-z_][\w./-]*)\s*:")


@dataclass(frozen=True)
class Node:
    """One value of a YAML file. `value` is a scalar, a dict of Nodes or a list of Nodes."""

    file: str
    key: str
    line: int
    value: object
    written: str | None = None  # the text of a scalar in the file; None for null, mappings and lists

    def refuse(self, problem: str) -> SpecError:
        """A SpecError about this value, for the caller to raise."""
        return SpecError(self.file, problem, key=self.key, line=self.line)

    def mapping(self, *allowed: str, required: tuple[str, ...] = ()) -> dict[str, Node]:
        """The members by key. Raises SpecError for a key that is not `allowed` or a `required` one that is missing."""
        members = self._members()
        for name, member in members.items():
            if name not in allowed:
                raise member.refuse(f"unknown key; known here: {', '.join(allowed)}")
        for name in required:
            if name not in members:
                raise self.refuse(f"{name} is missing")
        return members

    def strings(self) -> dict[str, str]:
        """The members as strings, as for labels and annotations. Raises SpecError."""
        return {name: member.text() for name, member in self._members().items()}

    def _members(self) -> dict[str, Node]:
        if not isinstance(self.value, dict):
            raise self.refuse("must be a mapping of keys to values")
        return self.value

    def items(self) -> list[Node]:
        """The elements of a list. Raises SpecError when it is empty or not a list."""
        if not isinstance(self.value, list) or not self.value:
            raise self.refuse("must be a list with at least one element")
        return self.value

    def text(self) -> str:
        """The scalar as written, also when it looks like a number or a date. Raises SpecError when it is empty."""
        text = self.value if self.written is None else self.written
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            raise self.refuse("must be a string")
        if not str(text).strip():
            raise self.refuse("must not be empty")
        return str(text)

    def number(self) -> float:
        """The scalar as a finite number. Raises SpecError."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or abs(self.value) == float("inf"):
            raise self.refuse("must be a number")
        if self.value != self.value:
            raise self.refuse("must be a number, not .nan")
        return float(self.value)

    def flag(self) -> bool:
        """The scalar as true or false. Raises SpecError."""
        if not isinstance(self.value, bool):
            raise self.refuse("must be true or false")
        return self.value


class _Converter:
    """Turns the trees of one file into Nodes with their keys."""

    def __init__(self, file: str, max_values: int) -> None:
        self.file = file
        self.max_values = max_values
        self.values = 0

    def convert(self, tree: Tree, key: str, line: int, depth: int = 0) -> Node:
        self._count(1, key, tree.line, depth)
        if tree.tag:
            raise SpecError(self.file, f"the YAML tag {tree.tag} is not supported; remove it", key=key, line=line)
        if tree.pairs is not None:
            members = {}
            for name, (at, child) in self._pairs(tree, key, depth).items():
                # The key's own line: a block scalar's or mapping's mark is one lower.
                members[name] = self.convert(child, _join(key, name), at, depth + 1)
            return Node(self.file, key, line, members)
        if tree.items is not None:
            items = [
                self.convert(item, f"{key}[{index}]", item.line, depth + 1) for index, item in enumerate(tree.items)
            ]
            return Node(self.file, key, line, items)
        value = tree.value
        return Node(self.file, key, line, value, None if value is None else tree.text)

    def _pairs(self, tree: Tree, key: str, depth: int) -> dict[str, tuple[int, Tree]]:
        """Line and value of each member, including those merged with `<<`; the mapping's own keys win."""
        pairs = tree.pairs or []
        self._count(len(pairs), key, tree.line, depth)
        own: dict[str, tuple[int, Tree]] = {}
        merged: dict[str, tuple[int, Tree]] = {}
        for name, value in pairs:
            if name.is_merge:
                sources = [value] if value.items is None else value.items
                for source in reversed(sources):  # the first of a list wins
                    if source.pairs is None:
                        raise SpecError(self.file, "<< merges mappings only", key=key, line=name.line)
                    merged |= self._pairs(source, key, depth + 1)
            elif name.pairs is not None or name.items is not None:
                raise SpecError(self.file, "a key must be a string", key=key, line=name.line)
            elif name.text in own:
                raise SpecError(self.file, "is a duplicate key", key=_join(key, name.text), line=own[name.text][0])
            else:
                own[name.text] = (name.line, value)
        return merged | own

    def _count(self, values: int, key: str, line: int, depth: int) -> None:
        self.values += values
        if depth > _MAX_DEPTH or self.values > self.max_values:
            raise SpecError(self.file, "refers to itself, or is nested too deeply", key=key.split("[")[0], line=line)


def _join(key: str, name: str) -> str:
    shown = name if name.isprintable() else repr(name)
    return f"{key}.{shown}" if key else shown


def read_document(path: Path, *, first_key: str = "") -> Node:
    """The only document of a YAML file. Raises SpecError as `read_documents` does, and for a second document."""
    first, *more = read_documents(path, first_key=first_key)
    if more:
        raise more[0].refuse("a second document; this file must hold exactly one")
    return first


def read_documents(path: Path, *, first_key: str = "") -> Iterator[Node]:
    """Every document of a YAML file except empty ones. Raises SpecError, also when all of them are empty.

    With `first_key` every document must be a mapping, and errors about a file without any key name this one.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(path, f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        key = _key_near(error.object.decode("utf-8", "replace"), line) or first_key
        raise SpecError(path, "is not UTF-8 text", key=key, line=line) from error
    is_empty = True
    try:
        for tree in documents(text, _MAX_DEPTH):
            if tree.is_null:
                continue
            is_empty = False
            if first_key and tree.pairs is None:
                raise SpecError(path, "must be a mapping of keys to values", key=first_key, line=tree.line)
            yield _Converter(str(path), len(text) + _MAX_ALIASED).convert(tree, "", tree.line)
    except yaml.YAMLError as error:
        # The parser notices an unclosed quote or bracket lines later; report the line that opens it.
        opened = re.search(r"quoted scalar|flow ", getattr(error, "context", None) or "")
        mark = getattr(error, "context_mark" if opened else "problem_mark", None)
        problem = " ".join(str(getattr(error, "problem", None) or getattr(error, "reason", error)).split())
        line = mark.line + 1 if mark else text.count("\n", 0, getattr(error, "position", 0)) + 1
        key = _key_near(text, line) or first_key
        raise SpecError(path, f"is not valid YAML: {problem}", key=key, line=line) from error
    if is_empty:
        raise SpecError(
            path, f"is empty; {first_key} is expected here" if first_key else "is empty", key=first_key, line=1
        )


def _key_near(text: str, line: int) -> str:
    """The last key at or above a line of text that is not valid YAML; "" when there is none."""
    for written in reversed(text.splitlines()[:line]):
        if match := _KEY.match(written):
            return match[1]
    return ""
