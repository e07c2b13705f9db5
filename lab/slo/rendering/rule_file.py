"""Writes groups as a Prometheus rule file: the same bytes for the same rules, always."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from lab.slo.durations import format_duration
from lab.slo.rendering.operator import Metadata
from lab.slo.rendering.rule import Group, Rule

# Text that YAML reads back as the same text without quotes (and that is no number, date, boolean or null).
_PLAIN = re.compile(r"[A-Za-z_][-A-Za-z0-9_./:]*[A-Za-z0-9_]|[A-Za-z_]")
_ESCAPES = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\t": r"\t", "\r": r"\r"}
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def render(groups: Iterable[Group], header: Iterable[str] = ()) -> str:
    """A whole rule file with `header` as its comment."""
    lines = [*_comment(header), "groups:"]
    for group in groups:
        lines += _group(group)
    return "\n".join(lines) + "\n"


def render_operator(metadata: Metadata, groups: Iterable[Group], header: Iterable[str] = ()) -> str:
    """The same rules as a PrometheusRule object, as the Prometheus operator takes them."""
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
    """A file's name or a windows' name in it must not end the comment."""
    return ["# " + "".join(one if one.isprintable() else " " for one in line) for line in header]


def split_groups(text: str) -> list[str]:
    """The groups of a text that `render` or `render_operator` wrote, each in the bytes that Prometheus gets to read."""
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
    """One YAML scalar on one line; quoted unless it can only be read as itself."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and ": " not in text:
        return text
    if "'" not in text and text.isprintable():
        return f"'{text}'"
    return '"' + "".join(_ESCAPES.get(character) or _escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    """A character between double quotes; by its number where a reader might take it for something else."""
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
