"""Writes groups as a Prometheus rule file: the same bytes for the same rules, always."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from lab.slo.durations import format_duration
from lab.slo.rule import Group, Rule

# Text that YAML reads back as the same text without quotes (and that is no number, date, boolean or null).
_PLAIN = re.compile(r"[A-Za-z_][-A-Za-z0-9_./:]*[A-Za-z0-9_]|[A-Za-z_]")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def render(groups: Iterable[Group], header: Iterable[str] = ()) -> str:
    """A whole rule file with `header` as its comment."""
    lines = [f"# {line}".rstrip() for line in header]
    lines.append("groups:")
    for group in groups:
        lines += _group(group)
    return "\n".join(lines) + "\n"


def render_operator(name: str, groups: Iterable[Group], header: Iterable[str] = ()) -> str:
    """The same rules as a PrometheusRule object, as the Prometheus operator takes them."""
    rules = render(groups).splitlines()
    lines = [f"# {line}".rstrip() for line in header]
    lines += [
        "apiVersion: monitoring.coreos.com/v1",
        "kind: PrometheusRule",
        "metadata:",
        f"  name: {scalar(name)}",
        "  labels:",
        "    app.kubernetes.io/component: slo",
        "    app.kubernetes.io/managed-by: fleetops",
        "spec:",
        *(f"  {line}" for line in rules),
    ]
    return "\n".join(lines) + "\n"


def _group(group: Group) -> Iterator[str]:
    yield f"  - name: {scalar(group.name)}"
    if group.interval_seconds is not None:
        yield f"    interval: {format_duration(group.interval_seconds)}"
    yield "    rules:"
    for rule in group.rules:
        yield from _rule(rule)


def _rule(rule: Rule) -> Iterator[str]:
    yield f"      - {rule.kind}: {scalar(rule.name)}"
    if "\n" in rule.expr:
        yield "        expr: |-"
        yield from (f"          {line}".rstrip() for line in rule.expr.split("\n"))
    else:
        yield f"        expr: {scalar(rule.expr)}"
    for key, values in (("labels", rule.labels), ("annotations", rule.annotations)):
        if values:
            yield f"        {key}:"
            yield from (f"          {name}: {scalar(value)}" for name, value in sorted(values.items()))


def scalar(text: str) -> str:
    """One YAML scalar on one line; quoted unless it can only be read as itself."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and ": " not in text:
        return text
    if "'" not in text and text.isprintable():
        return f"'{text}'"
    return json.dumps(text)
