"""Readers for the fields of a spec: names, labels, objectives, queries and policies.

Each raises SpecError, naming file, line and key, when the value is not valid.
"""

from __future__ import annotations

import re
from decimal import Decimal

from lab.errors import SpecError
from lab.slo.durations import parse_duration
from lab.slo.model import Origin, Policy
from lab.slo.query.promql import clean
from lab.slo.specs.document import Node

WINDOW = re.compile(r"\{\{-?\s*\.window\s*-?\}\}")

_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*[A-Za-z0-9]")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OURS = {"__name__", "sloth_id", "sloth_service", "sloth_slo", "sloth_window", "sloth_severity"}
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{\{", re.DOTALL)
_COLD_START = {"as_warm": True, "plain": False}


def origin(node: Node) -> Origin:
    """The place of a value in its file."""
    return Origin(node.file, node.line, node.key)


def refuse_at(place: Origin, problem: str) -> SpecError:
    """A SpecError about a value that was read earlier, for the caller to raise."""
    return SpecError(place.file, problem, key=place.key, line=place.line)


def read_name(node: Node) -> str:
    """A name that can be used in labels and group names."""
    text = node.text()
    if not _NAME.fullmatch(text):
        raise node.refuse(
            f"{text!r} is not a name; use at least two letters or digits, with '-', '_' and '.' only between them"
        )
    return text


def read_seconds(node: Node) -> int:
    """A duration, in seconds."""
    try:
        return parse_duration(node.text())
    except ValueError as error:
        raise node.refuse(str(error)) from error


def read_labels(node: Node | None) -> dict[str, str]:
    """Labels or annotations, with valid names that the generator does not set itself."""
    if node is None or node.value is None:
        return {}
    labels = node.strings()
    for name in labels:
        if name in _OURS:
            raise SpecError(node.file, "is set by the generator", key=f"{node.key}.{name}", line=node.line)
        if not _LABEL.fullmatch(name):
            raise SpecError(node.file, f"{name!r} is not a label name", key=f"{node.key}.{name}", line=node.line)
    return labels


def read_objective(node: Node) -> Decimal:
    """An objective as a percentage above 0 and below 100: at 100 there would be no budget to burn."""
    number = node.number()
    if not 0 < number < 100:
        raise node.refuse(f"{node.text()} must be above 0 and below 100 percent")
    # Normalised, so that 99.900 becomes 99.9 and 9E+1 becomes 90.
    return Decimal(f"{Decimal(node.text()).normalize():f}")


def read_promql(node: Node) -> str:
    """PromQL without its comments, safe to put between parentheses."""
    try:
        return clean(node.text())
    except ValueError as error:
        raise node.refuse(f"is not PromQL: {error}") from error


def read_query(node: Node) -> str:
    """PromQL that uses the template variable `{{.window}}` and no other."""
    text = read_promql(node)
    for match in _TEMPLATE.finditer(text):
        if not WINDOW.fullmatch(match.group()):
            raise node.refuse(
                f"{' '.join(match.group().split())} is not a template variable; the only one is {{{{.window}}}}"
            )
    if not WINDOW.search(text):
        raise node.refuse("does not use {{.window}}, so every window would measure the same ratio")
    return text


def read_policy(node: Node | None, default: Policy) -> Policy:
    """The guards of an alert; `default` gives those that are not set."""
    if node is None:
        return default
    members = node.mapping("min_bad_events", "cold_start")
    floor, cold = default.min_bad_events, default.cold_start_as_warm
    if "min_bad_events" in members:
        value = members["min_bad_events"].value
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000:
            raise members["min_bad_events"].refuse("must be a whole number from 0 to 1000000")
        floor = value
    if "cold_start" in members:
        word = members["cold_start"].text()
        if word not in _COLD_START:
            raise members["cold_start"].refuse(f"{word!r} is not one of {', '.join(_COLD_START)}")
        cold = _COLD_START[word]
    return Policy(floor, cold)
