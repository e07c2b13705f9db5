"""Checks the series in a query: each must be registered by a process, recorded by a rule or made by Prometheus."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache

from lab.errors import LabError
from lab.promql_tokens import tokens
from lab.site.sources.context import SiteContext

# Made by Prometheus itself, or exported by Prometheus, Alertmanager or every Python process.
FOREIGN = re.compile(r"(?:up|ALERTS|ALERTS_FOR_STATE|alertmanager_\w+|prometheus_\w+|process_\w+|python_\w+)$")
_COMMAND = re.compile(r"fleetops query '([^']*)'")
_LABELS = re.compile(r"""\{(?:"[^"]*"|[^"}])*\}|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)""")
_PARTS = {"histogram": ("_bucket", "_sum", "_count")}


@cache
def series(query: str) -> tuple[str, ...]:
    """The names of the series in a query, each once, in order. Raises LabError without a PromQL highlighter."""
    pieces = tokens(_LABELS.sub(" ", query))
    following = [next((text for _, text in pieces[at + 1 :] if text.strip()), "") for at in range(len(pieces))]
    return tuple(
        dict.fromkeys(
            text for (kind, text), after in zip(pieces, following, strict=True) if kind == "nv" and after != "("
        )
    )


def require(context: SiteContext, place: str, query: str) -> None:
    """Raises LabError when a query at `place` names an unknown series; the error names the closest known one."""
    known = known_series(context)
    for name in series(query):
        if name not in known and not FOREIGN.match(name):
            close = get_close_matches(name, known, 1)
            hint = f"; {close[0]} comes from {known[close[0]]}" if close else ""
            raise LabError(f"{place} queries {name}, which nothing in lab/ registers and no rule records{hint}")


def known_series(context: SiteContext) -> dict[str, str]:
    """Every series of the lab's processes and rules, with the file that it comes from."""
    registered = {
        metric.name + part: metric.module for metric in context.metrics for part in _PARTS.get(metric.kind, ("",))
    }
    return registered | context.rule_files.recorded


def queries(line: str) -> list[str]:
    """The query of every `fleetops query` command on a line."""
    return _COMMAND.findall(line)
