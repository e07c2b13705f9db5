"""Every metric of our own processes, read from the code that registers it: no process need run to list them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab import names

KINDS = {
    "Counter": "counter",
    "Gauge": "gauge",
    "Histogram": "histogram",
    "GaugeMetricFamily": "gauge",
    "CounterMetricFamily": "counter",
}


@dataclass(frozen=True)
class Metric:
    """One registered metric."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]
    module: str


def metrics(package: Path) -> list[Metric]:
    """Every metric below a package's folder, by name."""
    found: dict[str, Metric] = {}
    for file in sorted(package.rglob("*.py")):
        for metric in _registered(ast.parse(file.read_text()), file.relative_to(package.parent)):
            found.setdefault(metric.name, metric)
    return sorted(found.values(), key=lambda metric: metric.name)


def _registered(tree: ast.AST, module: Path) -> Iterator[Metric]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or len(node.args) < 2:
            continue
        kind = KINDS.get(getattr(node.func, "id", getattr(node.func, "attr", "")))
        name, text = _text(node.args[0]), _text(node.args[1])
        if kind and name and text:
            given = [keyword.value for keyword in node.keywords if keyword.arg in {"labelnames", "labels"}]
            labels = node.args[2:3] or given
            yield Metric(name, kind, text, _labels(labels[0]) if labels else (), module.as_posix())


def _text(node: ast.expr) -> str:
    """A string constant, or the value of a name in lab.names; empty for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "names":
        value = getattr(names, node.attr, "")
        return value if isinstance(value, str) else ""
    return ""


def _labels(node: ast.expr) -> tuple[str, ...]:
    return tuple(_text(item) for item in node.elts) if isinstance(node, ast.List | ast.Tuple) else ()
