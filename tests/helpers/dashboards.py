"""The committed Grafana dashboards as tests read them: panels, queries, variables, and PromQL without variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from lab.paths import RULES

FOLDER = RULES / "grafana" / "dashboards"
FILES = sorted(FOLDER.glob("*.json"))
# Values for variables where no Prometheus is asked for them.
EXAMPLES = {"slo": ["feed-latency-p99"], "service": ["feed"]}
RATE_INTERVAL = "20s"  # Grafana's with the provisioned data source: four times its interval
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>[^}:]+)[^}]*\}|(?P<plain>\w+))")
_LABEL_VALUES = re.compile(r"label_values\((?P<selector>.+),\s*(?P<label>\w+)\)")


class PanelQuery(NamedTuple):
    """One query of a panel, as it stands in the file."""

    dashboard: str
    panel: str
    ref: str
    expr: str
    exemplar: bool

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return f"{self.dashboard} / {self.panel} / {self.ref}"


@cache
def read(file: Path) -> dict[str, Any]:
    """A dashboard."""
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def panels(file: Path) -> list[dict[str, Any]]:
    """The panels of a dashboard without its rows."""
    return [panel for panel in read(file)["panels"] if panel["type"] != "row"]


def queries(file: Path) -> Iterator[PanelQuery]:
    """Every query of a dashboard's panels."""
    for panel in panels(file):
        for target in panel["targets"]:
            yield PanelQuery(file.stem, panel["title"], target["refId"], target["expr"], target["exemplar"])


def every_query() -> list[PanelQuery]:
    """The queries of all dashboards."""
    return [query for file in FILES for query in queries(file)]


def choices(file: Path) -> dict[str, tuple[str, str]]:
    """The query variables of a dashboard, each with the selector and the label whose values it offers."""
    offered = {}
    for variable in read(file)["templating"]["list"]:
        if variable["type"] == "query":
            match = _LABEL_VALUES.fullmatch(variable["query"]["query"])
            assert match, f"{file.name}: {variable['name']} is no label_values(selector, label)"
            offered[variable["name"]] = (match["selector"], match["label"])
    return offered


def used(text: str) -> set[str]:
    """The names of the variables in a text."""
    return {match["braced"] or match["plain"] for match in _VARIABLE.finditer(text)}


def promql(expr: str, values: Mapping[str, list[str]]) -> list[str]:
    """The expression without variables, once for each combination of the values of those that it uses."""
    names = sorted(used(expr) & values.keys())

    def replaced(chosen: Mapping[str, str]) -> str:
        return _VARIABLE.sub(lambda match: chosen[match["braced"] or match["plain"]], expr)

    return [
        replaced({"__rate_interval": RATE_INTERVAL, **dict(zip(names, combination, strict=True))})
        for combination in product(*(values[name] for name in names))
    ]
