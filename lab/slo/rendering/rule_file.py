"""Renders rule groups as a Prometheus rule file, deterministically: the same rules give the same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from lab.slo.durations import format_duration
from lab.slo.rendering.operator import Metadata
from lab.slo.rendering.rule import Group, Rule

# Strings that YAML reads back unchanged without quotes (not as a number, date, boolean or null).
_PLAIN = re.compile(r"[A-Za-z_][-A-Za-z0-9_./:]*[A-Za-z0-9_]|[A-Za-z_]")
_ESCAPES = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\t": r"\t", "\r": r"\r"}
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def render(groups: Iterable[Group], header: Iterable[str] = ()) -> str:
    """A complete rule file, with the lines of `header` as a comment."""
    lines = [*_comment(header), "groups:"]
    for group in groups:
        lines += _group(group)
    return "\n".join(lines) + "\n"


def render_operator(metadata: Metadata, groups: Iterable[Group], header: Iterable[str] = ()) -> str:
    """The same rules as a PrometheusRule object for the Prometheus operator."""
    rules = render(groups).removesuffix("\n").split("\n")
    lines = [
        *_comment(header),
        "apiVersion: monitoring.coreos.com/v1",
        "kind: PrometheusRule",
        "metadata:",
        f"  name: {scalar(metadata.name)}",
        *([f"  namespace: {scalar(metadata.namespace)}"] if metadata.namespace else []),
        "  labels:",
        *(f"    {scalar(key)}: {scalar(value)}" for key, value in metadata.labels.items()),
        "spec:",
        *(f"  {line}".rstrip() for line in rules),
    ]
    return "\n".join(lines) + "\n"


def _comment(header: Iterable[str]) -> list[str]:
    """The header as comment lines. A line break in a file's name must not end the comment."""
    return ["# " + "".join(char if char.isprintable() else " " for char in line) for line in header]


def split_groups(text: str) -> list[str]:
    """The text of each group in the output of `render` or `render_operator`, as Prometheus will read it."""
    match = re.search("^( *)groups:\n", text, re.MULTILINE)
    body = text[match.end() :] if match else ""
    if match and match[1]:
        body = re.sub(f"^{match[1]}", "", body, flags=re.MULTILINE)
    return re.split("^(?=  - name: )", body, flags=re.MULTILINE)[1:]


def _group(group: Group) -> Iterator[str]:
    yield f"  - name: {scalar(group.name)}"
    if group.interval_seconds is not None:
        yield f"    interval: {format_duration(group.interval_seconds)}"
    yield "    rules:"
    for rule in group.rules:
        yield from _rule(rule)


def _rule(rule: Rule) -> Iterator[str]:
    yield f"      - {rule.kind}: {scalar(rule.name)}"
    lines = rule.expr.split("\n")
    if len(lines) > 1 and all(line.isprintable() and line == line.rstrip() for line in lines):
        yield "        expr: |-"
        yield from (f"          {line}".rstrip() for line in lines)
    else:
        yield f"        expr: {scalar(rule.expr)}"
    for key, values in (("labels", rule.labels), ("annotations", rule.annotations)):
        if values:
            yield f"        {key}:"
            yield from (f"          {scalar(name)}: {scalar(value)}" for name, value in sorted(values.items()))


def scalar(text: str) -> str:
    """A string as a one-line YAML scalar; quoted unless every reader reads the plain form as the same string."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and ": " not in text:
        return text
    if "'" not in text and text.isprintable():
        return f"'{text}'"
    return '"' + "".join(_ESCAPES.get(character) or _escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    """A character inside double quotes; as an escape when it is not printable."""
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
