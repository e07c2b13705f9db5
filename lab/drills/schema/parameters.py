"""The typed parameters of a fault: fields of a dataclass that know their range, their help and how they are read."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass
from typing import Any, TypeVar

from lab.slo.specs.document import Node

T = TypeVar("T")
Names = Iterable[str] | Callable[[], Iterable[str]]
_KEY = "parameter"


@dataclass(frozen=True)
class Parameter:
    """How one parameter is read, and what a person is told about it."""

    read: Callable[[Node], Any]
    shape: str
    about: str


def number(least: float, most: float, about: str, default: Any = MISSING) -> Any:
    """A number within its bounds; the parameter's name says its unit."""
    return _field(lambda node: between(node, least, most), f"number from {least:g} to {most:g}", about, default)


def whole(least: int, most: int, about: str, default: Any = MISSING) -> Any:
    """A whole number within its bounds."""

    def read_whole(node: Node) -> int:
        value = between(node, least, most)
        if value != int(value):
            raise node.refuse(f"{value:g} is not a whole number")
        return int(value)

    return _field(read_whole, f"whole number from {least} to {most}", about, default)


def flag(about: str, default: Any = MISSING) -> Any:
    """true or false."""
    return _field(Node.flag, "true or false", about, default)


def text(about: str, default: Any = MISSING) -> Any:
    """Any text that is not empty."""
    return _field(Node.text, "text", about, default)


def texts(about: str, default: Any = MISSING) -> Any:
    """A list of texts."""
    return _field(lambda node: tuple(item.text() for item in node.items()), "list of texts", about, default)


def choice(names: Names, about: str, default: Any = MISSING) -> Any:
    """One of `names`, which may be asked for when a file is read."""
    shown = "name" if callable(names) else "one of " + ", ".join(names)
    return _field(lambda node: one_of(node, names() if callable(names) else names), shown, about, default)


def many(cls: type, about: str) -> Any:
    """A list of mappings, each with the parameters of `cls`."""
    inner = "; ".join(f"{name}: {one.shape}" for name, one, _ in parameters(cls))
    return _field(lambda node: tuple(read(cls, item) for item in node.items()), f"list of {{{inner}}}", about, MISSING)


def parameters(cls: type) -> list[tuple[str, Parameter, Any]]:
    """(name, parameter, default or MISSING) of each parameter of `cls`."""
    return [(f.name, f.metadata[_KEY], f.default) for f in dataclasses.fields(cls) if _KEY in f.metadata]


def read(cls: type[T], node: Node, *beside: str) -> T:
    """An instance of `cls` from a mapping. `beside` are keys that belong to somebody else.

    SpecError names the file, the line and the key of what is missing, unknown (and what is nearest) or out of range.
    `cls` may refuse a combination by raising ValueError.
    """
    known = parameters(cls)
    names = [name for name, _, _ in known]
    if isinstance(node.value, dict):
        for key, member in node.value.items():
            if key not in (*beside, *names):
                takes = f"known here: {', '.join(names)}" if names else "it takes no parameters"
                raise member.refuse(f"unknown key{nearest(key, names)}; {takes}")
    required = tuple(name for name, _, default in known if default is MISSING)
    members = node.mapping(*beside, *names, required=required)
    values = {name: parameter.read(members[name]) for name, parameter, _ in known if name in members}
    try:
        return cls(**values)
    except ValueError as error:
        raise node.refuse(str(error)) from None


def between(node: Node, least: float, most: float) -> float:
    """A number within its bounds."""
    value = node.number()
    if not least <= value <= most:
        raise node.refuse(f"{value:g} is not from {least:g} to {most:g}")
    return value


def one_of(node: Node, names: Iterable[str]) -> str:
    """A text that is one of `names`."""
    known = list(names)
    value = node.text()
    if value not in known:
        raise node.refuse(f"{value!r} is none of {', '.join(known)}{nearest(value, known)}")
    return value


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or nothing when nothing is near."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {found[0]!r}?)" if found else ""


def from_json(value: Any, where: str, key: str = "") -> Node:
    """A JSON value as a Node, so that it is read by the same rules as a file."""
    if isinstance(value, dict):
        members = {name: from_json(inner, where, f"{key}.{name}" if key else name) for name, inner in value.items()}
        return Node(where, key, 0, members)
    if isinstance(value, list | tuple):
        return Node(where, key, 0, [from_json(inner, where, f"{key}[{n}]") for n, inner in enumerate(value)])
    return Node(where, key, 0, value)


def _field(reader: Callable[[Node], Any], shape: str, about: str, default: Any) -> Any:
    metadata = {_KEY: Parameter(reader, shape, about)}
    if default is MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
