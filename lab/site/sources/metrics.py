"""Every metric of our own processes, read from the code that registers it: no process need run to list them."""

from __future__ import annotations

import ast
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


@dataclass(frozen=True)
class Metric:
    """One registered metric."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]
    module: str


def metrics(package: Path) -> list[Metric]:
    """Every metric below a package's folder, by name. LabError for one whose labels cannot be read."""
    found: dict[str, Metric] = {}
    for file in sorted(package.rglob("*.py")):
        for metric in _registered(ast.parse(file.read_text()), file.relative_to(package.parent)):
            found.setdefault(metric.name, metric)
    return sorted(found.values(), key=lambda metric: metric.name)


def _registered(tree: ast.AST, module: Path) -> Iterator[Metric]:
    short = _short_names(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or len(node.args) < 2:
            continue
        kind = KINDS.get(getattr(node.func, "id", getattr(node.func, "attr", "")))
        name, text = _text(node.args[0]), _text(node.args[1])
        if kind and name and text:
            given = [keyword.value for keyword in node.keywords if keyword.arg in {"labelnames", "labels"}]
            labels = node.args[2:3] or given
            read = _labels(labels[0], short) if labels else ()
            if not all(read):
                raise LabError(
                    f"{module}:{node.lineno}: the labels of {name} are no constants, so no page can list them"
                )
            yield Metric(name, kind, text, read, module.as_posix())


def _short_names(tree: ast.AST) -> dict[str, ast.expr]:
    """What a module calls by another name: `route = names.LABEL_ROUTE`, `labels = ["process"]`."""
    return {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _text(node: ast.expr) -> str:
    """A string constant, or the value of a name in lab.names; empty for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "names":
        value = getattr(names, node.attr, "")
        return value if isinstance(value, str) else ""
    return ""


def _labels(node: ast.expr, short: dict[str, ast.expr]) -> tuple[str, ...]:
    """The names, empty where one cannot be read."""
    listed = _meant(node, short)
    if not isinstance(listed, ast.List | ast.Tuple):
        return ("",)
    return tuple(_text(_meant(item, short)) for item in listed.elts)


def _meant(node: ast.expr, short: dict[str, ast.expr]) -> ast.expr:
    return short.get(node.id, node) if isinstance(node, ast.Name) else node
