"""YAML in which every value knows its file, line and key, so that a refusal can name all three."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.errors import SpecError

# An alias may refer to what holds it, or multiply what it names at every level.
_MAX_DEPTH = 40
_KEY = re.compile(r"[\s-]*([A-Za-z_][\w./-]*)\s*:")
_MAX_VALUES = 1_000_000
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Node:
    """One value of a YAML file. `value` is a scalar, a dict of Nodes or a list of Nodes."""

    file: str
    key: str
    line: int
    value: object

    def refuse(self, problem: str) -> SpecError:
        """The error to raise about this value."""
        return SpecError(self.file, problem, key=self.key, line=self.line)

    def mapping(self, *allowed: str, required: tuple[str, ...] = ()) -> dict[str, Node]:
        """The members, when there is none but the `allowed` ones and all the `required` ones."""
        members = self._members()
        for name, member in members.items():
            if name not in allowed:
                raise member.refuse(f"unknown key; known here: {', '.join(allowed)}")
        for name in required:
            if name not in members:
                raise self.refuse(f"{name} is missing")
        return members

    def strings(self) -> dict[str, str]:
        """A mapping of names to texts, as labels and annotations are."""
        return {name: member.text() for name, member in self._members().items()}

    def _members(self) -> dict[str, Node]:
        if not isinstance(self.value, dict):
            raise self.refuse("must be a mapping of keys to values")
        return self.value

    def items(self) -> list[Node]:
        """The elements of a list that holds at least one."""
        if not isinstance(self.value, list) or not self.value:
            raise self.refuse("must be a list with at least one element")
        return self.value

    def text(self) -> str:
        """A text that is not empty. Numbers are taken as they are written in YAML."""
        if isinstance(self.value, bool) or not isinstance(self.value, str | int | float):
            raise self.refuse("must be a text")
        text = str(self.value)
        if not text.strip():
            raise self.refuse("must not be empty")
        return text

    def number(self) -> float:
        """A finite number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or abs(self.value) == float("inf"):
            raise self.refuse("must be a number")
        if self.value != self.value:
            raise self.refuse("must be a number, not .nan")
        return float(self.value)

    def flag(self) -> bool:
        """true or false."""
        if not isinstance(self.value, bool):
            raise self.refuse("must be true or false")
        return self.value


class _Converter:
    """Turns composed YAML nodes of one document into Nodes."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.values = 0
        self.construct = yaml.constructor.SafeConstructor()

    def convert(self, node: yaml.Node, key: str, depth: int = 0) -> Node:
        line = node.start_mark.line + 1
        self.values += 1
        if depth > _MAX_DEPTH or self.values > _MAX_VALUES:
            raise SpecError(self.file, "refers to itself, or is nested too deeply", key=key.split("[")[0], line=line)
        if isinstance(node, yaml.MappingNode):
            return Node(self.file, key, line, self._mapping(node, key, depth))
        if isinstance(node, yaml.SequenceNode):
            items = [self.convert(child, f"{key}[{index}]", depth + 1) for index, child in enumerate(node.value)]
            return Node(self.file, key, line, items)
        return Node(self.file, key, line, self.construct.construct_object(node))

    def _mapping(self, node: yaml.MappingNode, key: str, depth: int) -> dict[str, Node]:
        written = [name.value for name, _ in node.value if isinstance(name, yaml.ScalarNode) and name.value != "<<"]
        self.construct.flatten_mapping(node)
        members: dict[str, Node] = {}
        for name, child in node.value:
            line = name.start_mark.line + 1
            if not isinstance(name, yaml.ScalarNode):
                raise SpecError(self.file, "a key must be a plain text", key=key, line=line)
            path = f"{key}.{name.value}" if key else str(name.value)
            if written.count(name.value) > 1:
                raise SpecError(self.file, "is written twice", key=path, line=line)
            value = self.convert(child, path, depth + 1)
            # The key's own line: a block scalar's or mapping's mark is one lower.
            members[str(name.value)] = Node(value.file, value.key, line, value.value)
        return members


def read_documents(path: Path, *, first_key: str = "") -> Iterator[Node]:
    """Every document of a YAML file, empty ones left out. Raises SpecError, also when there is none at all.

    With `first_key` every document must be a mapping; what holds no key at all is refused under that one.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(path, f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        key = _key_near(error.object.decode("utf-8", "replace"), line) or first_key
        raise SpecError(path, "is not UTF-8 text", key=key, line=line) from error
    found = False
    try:
        for node in yaml.compose_all(text, Loader=LOADER):
            if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
                continue
            found = True
            if first_key and not isinstance(node, yaml.MappingNode):
                line = node.start_mark.line + 1
                raise SpecError(path, "must be a mapping of keys to values", key=first_key, line=line)
            yield _Converter(str(path)).convert(node, "")
    except yaml.YAMLError as error:
        # What is never closed is noticed lines later, often at the end: it begins where it is to be mended.
        opened = re.search(r"quoted scalar|flow ", getattr(error, "context", None) or "")
        mark = getattr(error, "context_mark" if opened else "problem_mark", None)
        problem = " ".join(str(getattr(error, "problem", None) or getattr(error, "reason", error)).split())
        line = mark.line + 1 if mark else text.count("\n", 0, getattr(error, "position", 0)) + 1
        key = _key_near(text, line) or first_key
        raise SpecError(path, f"is not valid YAML: {problem}", key=key, line=line) from error
    except RecursionError as error:
        raise SpecError(path, "refers to itself or is nested too deeply", key=first_key, line=1) from error
    if not found:
        raise SpecError(
            path, f"is empty; {first_key} is expected here" if first_key else "is empty", key=first_key, line=1
        )


def _key_near(text: str, line: int) -> str:
    """The last key written up to a line of a text that is not YAML, "" when there is none."""
    for written in reversed(text.splitlines()[:line]):
        if match := _KEY.match(written):
            return match[1]
    return ""
