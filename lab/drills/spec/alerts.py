"""Every alert of the lab, read from the rule files that its Prometheus loads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lab.drills.runbook.content_hash import content_hash
from lab.oncall import deadman
from lab.paths import RULES
from lab.slo.durations import parse_duration
from lab.slo.model import PAGE, SEVERITIES
from lab.slo.specs.document import LOADER

PLATFORM_RULES = RULES / "platform"


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


def find(name: str, severity: str) -> Alert | None:
    """The alert with that name and severity, or None."""
    return next((alert for alert in known() if (alert.name, alert.severity) == (name, severity)), None)


def rule_sha256(file: Path, name: str) -> str | None:
    """The content hash of the rules that raise `name` in a rule file, ignoring comments and layout; None: no rule."""
    rules = [rule for rule in _rules(file) if rule.get("alert") == name]
    if not rules:
        return None
    return content_hash(json.dumps(rules, sort_keys=True).encode())


def _files() -> list[Path]:
    return sorted([*(RULES / "lab").glob("*.rules.yml"), *PLATFORM_RULES.glob("*.rules.yml")])


def _rules(file: Path) -> Iterator[dict[str, Any]]:
    for group in yaml.load(file.read_text(encoding="utf-8"), Loader=LOADER)["groups"]:  # noqa: S506 - a safe loader
        yield from group["rules"]


def _alerts(file: Path) -> Iterator[Alert]:
    for rule in _rules(file):
        labels = rule.get("labels", {})
        if "alert" in rule and labels.get("severity") in SEVERITIES:
            hold = float(parse_duration(rule["for"])) if "for" in rule else 0.0
            yield Alert(rule["alert"], labels["severity"], labels.get("sloth_id", ""), hold, rule["expr"], file)
