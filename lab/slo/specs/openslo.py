"""Reads OpenSLO v1: SLOs with a ratio metric over a rolling window, and refuses what burn-rate alerts cannot honour.

    ratioMetric.good|bad and .total   PromQL in metricSource.spec.query, with `{{.window}}`; a `counter` whose query is
                                      a bare selector is summed as a rate
    indicatorRef                      an SLI object of the same file
    objectives[].target               0 to 1, or targetPercent; several objectives become name-0, name-1, …

OpenSLO says nothing of burn-rate tiers, so every SLO gets both alerts, named after service and SLO.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from lab.slo.durations import parse_duration
from lab.slo.model import SEVERITIES, AlertPolicy, EventsSli, Origin, Policy, Slo
from lab.slo.specs.document import Node
from lab.slo.specs.fields import origin, read_name, read_objective_ratio, read_promql, read_query

API_VERSION = "openslo/v1"
_SELECTOR = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{(?:"[^"]*"|[^"{}])*\})?')
_KINDS_WITHOUT_RULES = {"Service", "DataSource"}


def read_openslo(documents: Sequence[Node]) -> list[Slo]:
    """The SLOs among the OpenSLO objects of one file. Raises SpecError."""
    indicators: dict[str, Node] = {}
    slos = []
    for document in documents:
        top = document.mapping(
            "apiVersion", "kind", "metadata", "spec", required=("apiVersion", "kind", "metadata", "spec")
        )
        if top["apiVersion"].value != API_VERSION:
            raise top["apiVersion"].refuse(f"{top['apiVersion'].value!r} is not supported; write {API_VERSION}")
        kind = top["kind"].text()
        if kind == "SLI":
            indicators[_metadata(top["metadata"]).text()] = top["spec"]
        elif kind == "SLO":
            slos.append(top)
        elif kind not in _KINDS_WITHOUT_RULES:
            raise top["kind"].refuse(f"{kind} is not honoured; alert windows are the tiers of --windows")
    return [slo for top in slos for slo in _slos(top, indicators)]


def _metadata(node: Node) -> Node:
    return node.mapping("name", "displayName", "labels", "annotations", required=("name",))["name"]


def _slos(top: dict[str, Node], indicators: dict[str, Node]) -> list[Slo]:
    name = _metadata(top["metadata"])
    spec = top["spec"].mapping(
        "description", "service", "indicator", "indicatorRef", "timeWindow", "budgetingMethod", "objectives",
        required=("service", "timeWindow", "budgetingMethod", "objectives"),
    )  # fmt: skip
    if spec["budgetingMethod"].value != "Occurrences":
        raise spec["budgetingMethod"].refuse(f"{spec['budgetingMethod'].value!r} is not honoured; only Occurrences is")
    sli, place = _indicator(top["spec"], spec, indicators)
    period = _period(spec["timeWindow"])
    objectives = spec["objectives"].items()
    described = {"alerting.annotations.description": origin(spec["description"])} if "description" in spec else {}
    found = []
    for index, objective in enumerate(objectives):
        members = objective.mapping("displayName", "target", "targetPercent")
        if len(members.keys() & {"target", "targetPercent"}) != 1:
            raise objective.refuse("must hold either target or targetPercent")
        goal = members.get("target") or members["targetPercent"]
        percent = read_objective_ratio(goal, of=1 if "target" in members else 100)
        slo_name = read_name(name) + (f"-{index}" if len(objectives) > 1 else "")
        text = spec["description"].text().strip() if "description" in spec else ""
        found.append(
            _slo(
                read_name(spec["service"]),
                slo_name,
                percent,
                sli,
                text,
                origin(name),
                place | {"objective": origin(goal)} | described,
                period,
            )
        )
    return found


def _slo(
    service: str, name: str, percent: Decimal, sli: EventsSli, text: str, place: Origin, places: dict[str, Origin],
    period: tuple[int, Origin],
) -> Slo:  # fmt: skip
    alert = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", f"{service}-{name}")) + "Burn"
    return Slo(
        service=service,
        name=name,
        objective_percent=percent,
        sli=sli,
        description=text,
        labels={},
        alert_name=alert,
        alert_labels={"service": service, "slo": name},
        alert_annotations={"description": text} if text else {},
        alerts={severity: AlertPolicy(labels={"severity": severity}) for severity in SEVERITIES},
        policy=Policy(),
        origin=place,
        origins=places | {"period": period[1]},
        spec_version=API_VERSION,
        period_seconds=period[0],
    )


def _indicator(node: Node, spec: dict[str, Node], indicators: dict[str, Node]) -> tuple[EventsSli, dict[str, Origin]]:
    if len(spec.keys() & {"indicator", "indicatorRef"}) != 1:
        raise node.refuse("must hold either indicator or indicatorRef")
    if "indicatorRef" in spec:
        wanted = spec["indicatorRef"].text()
        if wanted not in indicators:
            raise spec["indicatorRef"].refuse(f"{wanted!r} is no SLI of this file")
        body = indicators[wanted]
    else:
        body = spec["indicator"].mapping("metadata", "spec", required=("spec",))["spec"]
    ratio = body.mapping("description", "ratioMetric", required=("ratioMetric",))["ratioMetric"]
    sides = ratio.mapping("counter", "good", "bad", "total", required=("total",))
    if len(sides.keys() & {"good", "bad"}) != 1:
        raise ratio.refuse("must hold either good or bad")
    counter = sides["counter"].flag() if "counter" in sides else False
    side = sides.get("bad") or sides["good"]
    some, total = _query(side, counter), _query(sides["total"], counter)
    error = some if "bad" in sides else f"({total})\n-\n({some})"
    return EventsSli(error, total), {"error_query": origin(side), "total_query": origin(sides["total"])}


def _query(node: Node, counter: bool) -> str:
    source = node.mapping("metricSource", required=("metricSource",))["metricSource"]
    query = source.mapping("metricSourceRef", "type", "spec", required=("spec",))["spec"].mapping(
        "query", required=("query",)
    )["query"]
    if counter and _SELECTOR.fullmatch(selector := read_promql(query)):
        return f"sum(rate({selector}[{{{{.window}}}}]))"
    return read_query(query)


def _period(node: Node) -> tuple[int, Origin]:
    windows = node.items()
    if len(windows) != 1:
        raise node.refuse("must hold exactly one window")
    members = windows[0].mapping("duration", "isRolling", required=("duration",))
    if "isRolling" in members and not members["isRolling"].flag():
        raise members["isRolling"].refuse("a calendar window is not honoured; only rolling ones are")
    try:
        return parse_duration(members["duration"].text()), origin(members["duration"])
    except ValueError as error:
        raise members["duration"].refuse(str(error)) from error
