"""The typed parameters of a fault: dataclass fields with a range, a help text and a parser."""

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
    """One parameter: its parser, the values it accepts (`shape`) and its help (`about`)."""

    read: Callable[[Node], Any]
    shape: str
    about: str


def number(least: float, most: float, about: str, default: Any = MISSING) -> Any:
    """A number within bounds, both inclusive; the parameter's name states its unit."""
    return _field(lambda node: between(node, least, most), f"number from {least:g} to {most:g}", about, default)


def whole(least: int, most: int, about: str, default: Any = MISSING) -> Any:
    """An integer within bounds, both inclusive."""

    def read_whole(node: Node) -> int:
        value = between(node, least, most)
        if value != int(value):
            raise node.refuse(f"{value:g} must be a whole number")
        return int(value)

    return _field(read_whole, f"whole number from {least} to {most}", about, default)


def flag(about: str, default: Any = MISSING) -> Any:
    """A boolean."""
    return _field(Node.flag, "true or false", about, default)


def text(about: str, default: Any = MISSING) -> Any:
    """A string that is not empty."""
    return _field(Node.text, "string", about, default)


def texts(about: str, default: Any = MISSING) -> Any:
    """A list of strings."""
    return _field(lambda node: tuple(item.text() for item in node.items()), "list of strings", about, default)


def choice(names: Names, about: str, default: Any = MISSING) -> Any:
    """One of `names`; a callable is evaluated whenever a file is read."""
    shown = "name" if callable(names) else "one of " + ", ".join(names)
    return _field(lambda node: one_of(node, names() if callable(names) else names), shown, about, default)


def many(cls: type, about: str) -> Any:
    """A list of mappings, each with the parameters of `cls`."""
    inner = "; ".join(f"{name}: {parameter.shape}" for name, parameter, _ in parameters(cls))
    return _field(lambda node: tuple(read(cls, item) for item in node.items()), f"list of {{{inner}}}", about, MISSING)


def parameters(cls: type) -> list[tuple[str, Parameter, Any]]:
    """(name, parameter, default or MISSING) of each parameter of `cls`."""
    return [(f.name, f.metadata[_KEY], f.default) for f in dataclasses.fields(cls) if _KEY in f.metadata]


def read(cls: type[T], node: Node, *other_keys: str) -> T:
    """An instance of `cls` from a mapping, which may also have `other_keys`.

    Raises SpecError with the file, line and key of a parameter that is missing, unknown (with the nearest known one) or
    out of range. `cls` may refuse a combination by raising ValueError.
    """
    known = parameters(cls)
    names = [name for name, _, _ in known]
    if isinstance(node.value, dict):
        for key, member in node.value.items():
            if key not in (*other_keys, *names):
                takes = f"must be one of {', '.join(names)}" if names else "it takes no parameters"
                raise member.refuse(f"unknown key{nearest(key, names)}; {takes}")
    required = tuple(name for name, _, default in known if default is MISSING)
    members = node.mapping(*other_keys, *names, required=required)
    values = {name: parameter.read(members[name]) for name, parameter, _ in known if name in members}
    try:
        return cls(**values)
    except ValueError as error:
        raise node.refuse(str(error)) from None


def between(node: Node, least: float, most: float) -> float:
    """A number within bounds, both inclusive. Raises SpecError."""
    value = node.number()
    if not least <= value <= most:
        raise node.refuse(f"{value:g} must be from {least:g} to {most:g}")
    return value


def one_of(node: Node, names: Iterable[str]) -> str:
    """A string that is one of `names`. Raises SpecError, with the nearest of them."""
    known = list(names)
    value = node.text()
    if value not in known:
        raise node.refuse(f"{value!r} must be one of {', '.join(known)}{nearest(value, known)}")
    return value


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or "" when no known name is similar."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def from_json(value: Any, where: str, key: str = "") -> Node:
    """A JSON value as a Node, so that it is validated by the same rules as a file; `where` is the file in errors."""
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
