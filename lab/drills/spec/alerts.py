"""Every alert of the lab, read from the rule files that its Prometheus loads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lab.clients.documents import as_builtins
from lab.drills.runbook.content_hash import content_hash
from lab.oncall import deadman
from lab.paths import RULES
from lab.slo.durations import parse_duration
from lab.slo.model import PAGE, SEVERITIES
from lab.slo.rule_files import read_groups

PLATFORM_RULES = RULES / "platform"
CAPACITY_RULES = PLATFORM_RULES / "capacity.rules.yml"
# Fires when the bad events of an SLO have spent the budget of its whole period.
OF_BUDGETS = frozenset({"BudgetExhausted"})


@dataclass(frozen=True)
class Alert:
    """One alert at one severity. `sloth_id` is "" for a platform alert; `hold_seconds` is the rule's `for`."""

    name: str
    severity: str
    sloth_id: str
    hold_seconds: float
    expr: str
    file: Path


@cache
def known() -> tuple[Alert, ...]:
    """Every alert that pages or opens a ticket, including the dead-man's switch, which no rule raises."""
    alerts = [alert for file in _files() for alert in _alerts(file)]
    watchdog = Alert(deadman.ALERT, PAGE, "", deadman.SILENT_SECONDS, "", Path(deadman.__file__))
    return (*alerts, watchdog)


def names(severity: str | None = None) -> tuple[str, ...]:
    """The sorted names of all alerts, or of those of one severity."""
    return tuple(sorted({alert.name for alert in known() if severity in (None, alert.severity)}))


def of_slos() -> frozenset[str]:
    """The names of the burn-rate alerts."""
    return frozenset(alert.name for alert in known() if alert.sloth_id)


def of_capacity() -> frozenset[str]:
    """The names of the tickets about capacity: little is left of a resource, and nothing is broken yet."""
    return frozenset(alert.name for alert in known() if alert.file == CAPACITY_RULES)


def find(name: str, severity: str) -> Alert | None:
    """The alert with that name and severity, or None."""
    return next((alert for alert in known() if (alert.name, alert.severity) == (name, severity)), None)


def rule_sha256(file: Path, name: str) -> str | None:
    """The content hash of the rules that raise `name` in a rule file, ignoring comments and layout; None: no rule."""
    rules = [rule for group in read_groups(file) for rule in group.rules if rule.alert == name]
    if not rules:
        return None
    return content_hash(json.dumps(as_builtins(rules), sort_keys=True).encode())


def _files() -> list[Path]:
    return sorted([*(RULES / "lab").glob("*.rules.yml"), *PLATFORM_RULES.glob("*.rules.yml")])


def _alerts(file: Path) -> Iterator[Alert]:
    for rule in (rule for group in read_groups(file) for rule in group.rules):
        if rule.alert and (severity := rule.labels.get("severity", "")) in SEVERITIES:
            hold = float(parse_duration(rule.hold)) if rule.hold else 0.0
            yield Alert(rule.alert, severity, rule.labels.get("sloth_id", ""), hold, rule.expr, file)
