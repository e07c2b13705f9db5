"""What the console draws: charts as data. Objectives come from the SLO specs, names from lab.names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lab import names, units
from lab.slo.model import Slo
from lab.slo.thresholds import threshold_seconds

WINDOW = "10s"  # long enough for a p99 at the lab's traffic, short enough to see an edge


@dataclass(frozen=True)
class Chart:
    """One chart: named queries that share an axis, and the objective they are held to."""

    name: str
    title: str
    unit: str
    objective: float | None
    queries: tuple[tuple[str, str], ...]


def charts(slos: Iterable[Slo]) -> list[Chart]:
    """Latency against each service's p99 objective, the versions side by side, and the load."""
    latencies = [
        Chart(
            slo.sloth_id,
            f"{slo.service} latency at the gateway",
            units.QUANTILE,
            threshold_seconds(slo),
            tuple((f"p{percent}", _gateway_quantile(percent, names.ROUTES[slo.service])) for percent in (99, 95)),
        )
        for slo in slos
        if slo.name == "latency-p99"
    ]
    versions = (("stable", names.VERSION_STABLE), ("canary", names.VERSION_CANARY))
    loads = (("offered", names.TRAFFIC_OFFERED), ("completed", names.TRAFFIC_COMPLETED))
    return [
        *latencies,
        Chart(
            "versions",
            "feed p99 by version",
            units.QUANTILE,
            None,
            tuple((name, _version_p99(v)) for name, v in versions),
        ),
        Chart(
            "load", "requests, open loop", "per second", None, tuple((n, f"sum(rate({m}[{WINDOW}]))") for n, m in loads)
        ),
    ]


def _gateway_quantile(percent: int, route: str) -> str:
    return _quantile(percent / 100, f'job="gateway", {names.LABEL_ROUTE}="{route}", {names.LABEL_STATUS}=~"2.."')


def _version_p99(version: str) -> str:
    served = f'{names.LABEL_ROUTE}="{names.ROUTE_FEED}", {names.LABEL_STATUS}=~"2.."'
    return _quantile(0.99, f'job="feed", {served}, {names.LABEL_VERSION}="{version}"')


def _quantile(quantile: float, matchers: str) -> str:
    buckets = f"{names.HTTP_SERVER_DURATION}_bucket{{{matchers}}}"
    return f"histogram_quantile({quantile}, sum by (le) (rate({buckets}[{WINDOW}])))"
