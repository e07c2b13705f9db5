"""Prometheus rules and rule groups as values."""

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
    """A rule group: Prometheus evaluates its rules in order, all at the same timestamp."""

    name: str
    rules: tuple[Rule, ...]
    interval_seconds: int | None = None  # None for Prometheus's global evaluation interval


def ids(slo: Slo) -> dict[str, str]:
    """The labels that identify an SLO on its series and alerts."""
    return {series.LABEL_ID: slo.sloth_id, series.LABEL_SERVICE: slo.service, series.LABEL_SLO: slo.name}


def record(
    slo: Slo, name: str, expr: str, window_seconds: int | None = None, labels: Mapping[str, str] | None = None
) -> Rule:
    """A recording rule with the SLO's labels, the window's label if there is a window, and additional `labels`."""
    window = {series.LABEL_WINDOW: format_duration(window_seconds)} if window_seconds else {}
    return Rule("record", name, expr, slo.labels | ids(slo) | window | dict(labels or {}))


def ignoring(slo: Slo) -> str:
    """An `ignoring (…)` clause of the labels that recording adds, to match recorded series with the SLO's queries."""
    return f"ignoring ({', '.join(sorted({*slo.labels, *ids(slo), series.LABEL_WINDOW}))})"
