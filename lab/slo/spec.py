"""Reads Sloth `prometheus/v1` specs and refuses, by file, line and key, what cannot be honoured.

Sloth's own keys keep Sloth's meaning. One key is ours, `policy` (of the document or of one SLO), which Sloth passes
over: `min_bad_events` (a floor for low traffic) and `cold_start` (`as_warm` or `plain`).
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from lab.errors import SpecError
from lab.slo.document import Node, read_documents
from lab.slo.model import PAGE, TICKET, AlertPolicy, EventsSli, Origin, Policy, RawSli, Slo

VERSION = "prometheus/v1"
WINDOW = re.compile(r"\{\{-?\s*\.window\s*-?\}\}")

_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{\{", re.DOTALL)
_COLD_START = {"as_warm": True, "plain": False}


def read_spec(path: Path) -> list[Slo]:
    """Every SLO of a spec file of one or more documents. Raises SpecError."""
    return [slo for document in read_documents(path) for slo in read_sloth(document)]


def read_sloth(document: Node) -> list[Slo]:
    """The SLOs of one `prometheus/v1` document."""
    top = document.mapping("version", "service", "labels", "slos", "policy", required=("version", "service", "slos"))
    if top["version"].value != VERSION:
        raise top["version"].refuse(f"{top['version'].value!r} is not supported; write {VERSION}")
    service = read_name(top["service"])
    labels = read_labels(top.get("labels"))
    policy = read_policy(top.get("policy"), Policy())
    return [_slo(node, service, labels, policy) for node in top["slos"].items()]


def _slo(node: Node, service: str, labels: dict[str, str], policy: Policy) -> Slo:
    members = node.mapping(
        "name", "objective", "description", "labels", "sli", "alerting", "policy", required=("name", "objective", "sli")
    )
    sli, origins = _sli(members["sli"])
    alerting = members.get("alerting")
    parts = alerting.mapping("name", "labels", "annotations", "page_alert", "ticket_alert") if alerting else {}
    # Without an `alerting` section Sloth has no name to alert under; it then generates no alert.
    alerts = {
        severity: _alert(parts.get(f"{severity}_alert")) if alerting else AlertPolicy(enabled=False)
        for severity in (PAGE, TICKET)
    }
    if alerting and "name" not in parts and any(alert.enabled for alert in alerts.values()):
        raise alerting.refuse("name is missing; give the alerts one, or disable both")
    return Slo(
        service=service,
        name=read_name(members["name"]),
        objective_percent=read_objective(members["objective"]),
        sli=sli,
        description=members["description"].text().strip() if "description" in members else "",
        labels=labels | read_labels(members.get("labels")),
        alert_name=parts["name"].text() if "name" in parts else "",
        alert_labels=read_labels(parts.get("labels")),
        alert_annotations=read_labels(parts.get("annotations")),
        alerts=alerts,
        policy=read_policy(members.get("policy"), policy),
        origin=origin(members["name"]),
        origins=origins | {"objective": origin(members["objective"])},
        spec_version=VERSION,
    )


def origin(node: Node) -> Origin:
    """Where a value was written."""
    return Origin(node.file, node.line, node.key)


def refuse_at(place: Origin, problem: str) -> SpecError:
    """The error to raise about a value that was read earlier."""
    return SpecError(place.file, problem, key=place.key, line=place.line)


def read_name(node: Node) -> str:
    """A name that may stand in a series' label and a group's name."""
    text = node.text()
    if not _NAME.fullmatch(text):
        raise node.refuse(f"{text!r} is not a name; use letters, digits, '-', '_' and '.'")
    return text


def read_labels(node: Node | None) -> dict[str, str]:
    """Labels or annotations, their names checked."""
    if node is None or node.value is None:
        return {}
    labels = node.strings()
    for name in labels:
        if not _LABEL.fullmatch(name):
            raise SpecError(node.file, f"{name!r} is not a label name", key=f"{node.key}.{name}", line=node.line)
    return labels


def read_objective(node: Node) -> Decimal:
    """A percentage above 0 and below 100: at 100 there is no budget to burn."""
    number = node.number()
    if not 0 < number < 100:
        raise node.refuse(f"{node.value} must lie above 0 and below 100 percent")
    return Decimal(str(node.value))


def read_query(node: Node) -> str:
    """PromQL that uses `{{.window}}` and no other template variable."""
    text = node.text().strip()
    for match in _TEMPLATE.finditer(text):
        if not WINDOW.fullmatch(match.group()):
            raise node.refuse(f"{match.group()} is not a template variable; the only one is {{{{.window}}}}")
    if not WINDOW.search(text):
        raise node.refuse("does not use {{.window}}, so every window would measure the same")
    return text


def read_policy(node: Node | None, default: Policy) -> Policy:
    """The guards, each one that is not written taken from `default`."""
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


def _sli(node: Node) -> tuple[EventsSli | RawSli, dict[str, Origin]]:
    kinds = node.mapping("events", "raw", "plugin")
    if "plugin" in kinds:
        raise kinds["plugin"].refuse(
            "SLI plugins are programs of Sloth; write the plugin's queries under events or raw"
        )
    if len(kinds) != 1:
        raise node.refuse("must hold either events or raw")
    if "events" in kinds:
        queries = kinds["events"].mapping("error_query", "total_query", required=("error_query", "total_query"))
        error, total = read_query(queries["error_query"]), read_query(queries["total_query"])
        if error == total:
            raise queries["error_query"].refuse("is the same as total_query, so every event would be bad")
        return EventsSli(error, total), {name: origin(query) for name, query in queries.items()}
    queries = kinds["raw"].mapping("error_ratio_query", required=("error_ratio_query",))
    query = queries["error_ratio_query"]
    return RawSli(read_query(query)), {"error_ratio_query": origin(query)}


def _alert(node: Node | None) -> AlertPolicy:
    if node is None or node.value is None:
        return AlertPolicy()
    members = node.mapping("disable", "labels", "annotations")
    disabled = members["disable"].flag() if "disable" in members else False
    return AlertPolicy(not disabled, read_labels(members.get("labels")), read_labels(members.get("annotations")))
