"""The console's charts as data: titles, units, objectives and queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lab import names, units
from lab.slo.model import Slo
from lab.slo.query.builders import quantile, rate
from lab.slo.thresholds import threshold_seconds

WINDOW = "10s"  # long enough for a p99 at the lab's traffic, short enough to show a sudden change


@dataclass(frozen=True)
class Chart:
    """One chart: named queries on one axis.

    `unit` is one that `lab.units` knows or any other text; `objective` is a value in that unit, None without an
    objective; `queries` are pairs of a line's name and its PromQL. `exemplars` selects the series whose exemplars are
    shown as dots; "" for none.
    """

    name: str
    title: str
    unit: str
    objective: float | None
    queries: tuple[tuple[str, str], ...]
    exemplars: str = ""


def charts(slos: Iterable[Slo]) -> list[Chart]:
    """Latency of each service with its p99 objective, feed latency by version, and the load."""
    latencies = [
        Chart(
            slo.sloth_id,
            f"{slo.service} latency at the gateway",
            units.QUANTILE,
            threshold_seconds(slo),
            tuple((f"p{percent}", _gateway_quantile(percent, names.ROUTES[slo.service])) for percent in (99, 95)),
            f"{names.HTTP_SERVER_DURATION}_bucket{{{_served(names.ROUTES[slo.service])}}}",
        )
        for slo in slos
        if slo.name == "latency-p99"
    ]
    versions = (("stable", names.OF_STABLE), ("canary", names.OF_CANARY))
    loads = (("offered", names.TRAFFIC_OFFERED), ("completed", names.TRAFFIC_COMPLETED))
    return [
        *latencies,
        Chart(
            "versions",
            "feed p99 by version",
            units.QUANTILE,
            None,
            tuple((name, _version_p99(matcher)) for name, matcher in versions),
        ),
        Chart(
            "load",
            "requests, open loop",
            "per second",
            None,
            tuple((name, rate(counter, WINDOW)) for name, counter in loads),
        ),
    ]


def _gateway_quantile(percent: int, route: str) -> str:
    return quantile(percent / 100, names.HTTP_SERVER_DURATION, WINDOW, _served(route))


def _served(route: str) -> str:
    return f'job="gateway", {names.LABEL_ROUTE}="{route}", {names.LABEL_STATUS}=~"2.."'


def _version_p99(matcher: str) -> str:
    served = f'{names.LABEL_ROUTE}="{names.ROUTE_FEED}", {names.LABEL_STATUS}=~"2.."'
    return quantile(0.99, names.HTTP_SERVER_DURATION, WINDOW, f'job="feed", {served}, {matcher}')
