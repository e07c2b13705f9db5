"""A rule and a group of rules, as Prometheus knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.slo.durations import format_duration
from lab.slo.model import Slo
from lab.slo.rendering import series


@dataclass(frozen=True)
class Rule:
    """One recording or alerting rule."""

    kind: str  # record | alert
    name: str
    expr: str
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Rules that are evaluated one after the other at one instant."""

    name: str
    rules: tuple[Rule, ...]
    interval_seconds: int | None = None  # None: Prometheus's own


def ids(slo: Slo) -> dict[str, str]:
    """The labels by which everything of one SLO is told apart."""
    return {series.LABEL_ID: slo.sloth_id, series.LABEL_SERVICE: slo.service, series.LABEL_SLO: slo.name}


def record(
    slo: Slo, name: str, expr: str, window_seconds: int | None = None, labels: Mapping[str, str] | None = None
) -> Rule:
    """A recording rule with the SLO's labels, the window's where there is one, and more `labels`."""
    window = {series.LABEL_WINDOW: format_duration(window_seconds)} if window_seconds else {}
    return Rule("record", name, expr, slo.labels | ids(slo) | window | dict(labels or {}))


def ignoring(slo: Slo) -> str:
    """Matches a recorded series with what a query of the SLO gives: without the labels that recording adds."""
    return f"ignoring ({', '.join(sorted({*slo.labels, *ids(slo), series.LABEL_WINDOW}))})"
