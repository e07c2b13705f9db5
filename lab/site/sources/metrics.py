"""The metrics of the lab's processes, read from the source code that registers them, so no process has to run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab import names
from lab.errors import LabError

KINDS = {
    "Counter": "counter",
    "Gauge": "gauge",
    "Histogram": "histogram",
    "GaugeMetricFamily": "gauge",
    "CounterMetricFamily": "counter",
}
# Most modules register nothing; to parse them would take seconds.
_MENTIONED = re.compile(rf"\b(?:{'|'.join(KINDS)})\b")


@dataclass(frozen=True)
class Metric:
    """One registered metric; `module` is the source file, `lab/telemetry/http.py`."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]
    module: str


def metrics(package: Path) -> list[Metric]:
    """Every metric registered below a package's folder, by name.

    Raises LabError for a metric whose label names are not constants.
    """
    by_name: dict[str, Metric] = {}
    for file in sorted(package.rglob("*.py")):
        if _MENTIONED.search(text := file.read_text(encoding="utf-8")):
            for metric in _registered(ast.parse(text), file.relative_to(package.parent)):
                by_name.setdefault(metric.name, metric)
    return sorted(by_name.values(), key=lambda metric: metric.name)


def _registered(tree: ast.AST, module: Path) -> Iterator[Metric]:
    aliases = _aliases(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or len(node.args) < 2:
            continue
        kind = KINDS.get(getattr(node.func, "id", getattr(node.func, "attr", "")))
        name, text = _text(node.args[0]), _text(node.args[1])
        if kind and name and text:
            keywords = [keyword.value for keyword in node.keywords if keyword.arg in {"labelnames", "labels"}]
            argument = node.args[2:3] or keywords
            labels = _labels(argument[0], aliases) if argument else ()
            if not all(labels):
                raise LabError(
                    f"{module}:{node.lineno}: the labels of {name} are not constants; use literals or lab.names"
                )
            yield Metric(name, kind, text, labels, module.as_posix())


def _aliases(tree: ast.AST) -> dict[str, ast.expr]:
    """The names that a module assigns: `route = names.LABEL_ROUTE`, `labels = ["process"]`."""
    return {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _text(node: ast.expr) -> str:
    """A string constant, or the value of a constant in lab.names; "" for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "names":
        value = getattr(names, node.attr, "")
        return value if isinstance(value, str) else ""
    return ""


def _labels(node: ast.expr, aliases: dict[str, ast.expr]) -> tuple[str, ...]:
    """The label names, "" for one that is not a constant."""
    listed = _resolved(node, aliases)
    if not isinstance(listed, ast.List | ast.Tuple):
        return ("",)
    return tuple(_text(_resolved(item, aliases)) for item in listed.elts)


def _resolved(node: ast.expr, aliases: dict[str, ast.expr]) -> ast.expr:
    return aliases.get(node.id, node) if isinstance(node, ast.Name) else node
