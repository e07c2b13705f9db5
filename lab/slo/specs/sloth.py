"""Reads Sloth `prometheus/v1` specs. Rejects, by file, line and key, what is not supported.

Sloth's own keys keep Sloth's meaning. One key is ours, `policy` (of the document or of one SLO), which Sloth ignores:
`min_bad_events` (a floor for low traffic) and `cold_start` (`as_warm` or `plain`).
"""

from __future__ import annotations

from pathlib import Path

from lab.slo.model import PAGE, SEVERITIES, TICKET, AlertPolicy, EventsSli, Intervals, Origin, Policy, RawSli, Slo
from lab.slo.specs.document import Node, read_documents
from lab.slo.specs.fields import origin, read_labels, read_name, read_objective, read_policy, read_query, read_seconds

VERSION = "prometheus/v1"
LOOKBACK_SECONDS = 300  # Prometheus ignores samples older than this


def read_spec(path: Path) -> list[Slo]:
    """Every SLO in a spec file of one or more `prometheus/v1` documents. Raises SpecError."""
    return [slo for document in read_documents(path, first_key="version") for slo in _slos(document)]


def _slos(document: Node) -> list[Slo]:
    top = document.mapping("version", "service", "labels", "slos", "policy", required=("version", "service", "slos"))
    if top["version"].value != VERSION:
        raise top["version"].refuse(f"{top['version'].value!r} is not supported; write {VERSION}")
    service = read_name(top["service"])
    labels = read_labels(top.get("labels"))
    policy = read_policy(top.get("policy"), Policy())
    return [_slo(node, service, labels, policy) for node in top["slos"].items()]


def _slo(node: Node, service: str, labels: dict[str, str], policy: Policy) -> Slo:
    members = node.mapping(
        "name", "objective", "description", "labels", "infoLabels", "sli", "alerting", "interval", "policy",
        required=("name", "objective", "sli"),
    )  # fmt: skip
    sli, origins = _sli(members["sli"])
    # As in Sloth, each alert is enabled unless it is disabled explicitly, and an enabled alert needs a name.
    if "alerting" not in members:
        raise node.refuse("alerting is missing; name the alerts there, or disable both")
    alerting = members["alerting"]
    parts = alerting.mapping("name", "labels", "annotations", "page_alert", "ticket_alert")
    alerts = {severity: _alert(parts.get(f"{severity}_alert")) for severity in (PAGE, TICKET)}
    if "name" not in parts and any(alert.enabled for alert in alerts.values()):
        raise alerting.refuse("name is missing; name the alerts, or disable both")
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
        origins=origins | _alerting_origins(alerting) | {"objective": origin(members["objective"])},
        spec_version=VERSION,
        info_labels=read_labels(members.get("infoLabels")),
        intervals=_intervals(members.get("interval")),
    )


def _sli(node: Node) -> tuple[EventsSli | RawSli, dict[str, Origin]]:
    kinds = node.mapping("events", "raw", "plugin")
    if "plugin" in kinds:
        raise kinds["plugin"].refuse(
            "SLI plugins are not supported (they run inside Sloth); write the plugin's queries under events or raw"
        )
    if len(kinds) != 1:
        raise node.refuse("must have either events or raw")
    if "events" in kinds:
        queries = kinds["events"].mapping("error_query", "total_query", required=("error_query", "total_query"))
        error, total = read_query(queries["error_query"]), read_query(queries["total_query"])
        if error == total:
            raise queries["error_query"].refuse("is the same as total_query, so every event would be bad")
        return EventsSli(error, total), {name: origin(query) for name, query in queries.items()}
    queries = kinds["raw"].mapping("error_ratio_query", required=("error_ratio_query",))
    query = queries["error_ratio_query"]
    return RawSli(read_query(query)), {"error_ratio_query": origin(query)}


def _alerting_origins(alerting: Node) -> dict[str, Origin]:
    """The place of each label and annotation, by `alerting.labels.NAME`, `page_alert.annotations.NAME`, …"""
    parts = alerting.value if isinstance(alerting.value, dict) else {}
    scopes = [("alerting", parts)] + [
        (f"{s}_alert", node.value) for s in SEVERITIES if (node := parts.get(f"{s}_alert"))
    ]
    return {
        f"{scope}.{kind}.{name}": origin(member)
        for scope, members in scopes
        for kind in ("labels", "annotations")
        if isinstance(members, dict) and kind in members and isinstance(members[kind].value, dict)
        for name, member in members[kind].value.items()
    }


def _intervals(node: Node | None) -> Intervals:
    """The spec's intervals; `all` is the default for those that are not set."""
    if node is None or node.value is None:
        return Intervals()
    members = node.mapping("all", "slierror", "metadata", "alert")
    seconds = {name: read_seconds(member) for name, member in members.items()}
    for name, member in members.items():
        if seconds[name] >= LOOKBACK_SECONDS:
            raise member.refuse("Prometheus looks back 5m for a sample, so there would be gaps; write 2m30s or less")
    default = seconds.get("all")
    return Intervals(*(seconds.get(name, default) for name in ("slierror", "metadata", "alert")))


def _alert(node: Node | None) -> AlertPolicy:
    if node is None or node.value is None:
        return AlertPolicy()
    members = node.mapping("disable", "labels", "annotations")
    disabled = members["disable"].flag() if "disable" in members else False
    labels = read_labels(members.get("labels"))
    if "disable" in labels:
        misplaced = members["labels"].mapping(*labels)["disable"]
        raise misplaced.refuse("has no effect as a label; write it next to labels to disable the alert")
    return AlertPolicy(not disabled, labels, read_labels(members.get("annotations")))
