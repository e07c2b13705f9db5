"""What is recorded of an incident: each signal's question to Prometheus, its unit and its objective."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lab import names, units
from lab.clients.prometheus import Prometheus
from lab.slo.catalogue import LAB, load_specs, load_windows
from lab.slo.model import PAGE, Slo
from lab.slo.rendering import series

_GATEWAY = 'job="gateway"'
_FAILED = f'job="gateway",{names.LABEL_STATUS}=~"5.."'
# Of those answered with a 2xx, as the latency SLIs count: a refusal is quick and served nobody.
_SERVED_FEED = f'{names.LABEL_ROUTE}="{names.ROUTE_FEED}",{names.LABEL_STATUS}=~"2.."'
_GATEWAY_FEED = f'job="gateway",{_SERVED_FEED}'
DIGITS = 4


@dataclass(frozen=True)
class Signal:
    """One line of a chart."""

    name: str
    title: str
    query: str
    unit: str
    objective: float | None = None


def signals(focus: Slo) -> list[Signal]:
    """The signals of an incident; burn rate and budget are those of `focus`."""
    windows = load_windows(LAB)
    quick = windows.of(PAGE)[0]
    by_id = {slo.sloth_id: slo for slo in load_specs()}
    found = [_sli(slo, windows.shortest_seconds) for slo in by_id.values()]
    for seconds in (quick.long_seconds, quick.short_seconds):
        burn = f"{series.error_ratio(seconds)}{series.selector(focus)} / {focus.budget_ratio:g}"
        found.append(
            Signal(
                f"burn_rate_{seconds}s", f"{focus.sloth_id} burn rate over {seconds} s", burn, "x budget", quick.factor
            )
        )
    return [
        *found,
        Signal(
            "budget_remaining_ratio",
            f"{focus.sloth_id} budget left",
            f"{series.BUDGET_REMAINING}{series.selector(focus)}",
            "ratio",
        ),
        *_latency("feed", "Feed", "at the gateway", _GATEWAY_FEED),
        *_latency("feed_stable", "Feed", "of stable", _of_version(names.VERSION_STABLE)),
        *_latency("feed_canary", "Feed", "of the canary", _of_version(names.VERSION_CANARY)),
        Signal(
            "canary_weight_ratio", "Share of users sent to the canary", f"max({names.GATEWAY_CANARY_WEIGHT})", "ratio"
        ),
        Signal("offered_per_second", "Load offered", f"sum(rate({names.TRAFFIC_OFFERED}[5s]))", "requests/s"),
        Signal("requests_per_second", "Requests completed at the gateway", _rate(_GATEWAY), "requests/s"),
        Signal(
            "error_ratio",
            "Server errors at the gateway",
            f"({_rate(_FAILED)} or vector(0)) / {_rate(_GATEWAY)}",
            "ratio",
        ),
    ]


def sample(prometheus: Prometheus, signal: Signal, t0: float, start: float, end: float) -> dict[str, Any]:
    """The signal at every second from `start` to `end` (epoch seconds), told from `t0`; None where there is none."""
    first, last = math.floor(start), math.floor(end)
    matrix = prometheus.range(signal.query, first, last)
    values: list[float | None] = [None] * (last - first + 1)
    for at, value in matrix[0].points if matrix else []:
        values[round(at) - first] = float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return {
        "name": signal.name,
        "title": signal.title,
        "query": signal.query,
        "unit": signal.unit,
        "objective": signal.objective,
        "start_seconds": round(first - t0, 3),
        "step_seconds": 1,
        "values": values,
    }


def sli_name(slo: Slo) -> str:
    """The name of an SLO's bad ratio among the signals: `feed_latency_p99_bad_ratio`."""
    return slo.sloth_id.replace("-", "_") + "_bad_ratio"


def _sli(slo: Slo, window_seconds: int) -> Signal:
    query = f"{series.error_ratio(window_seconds)}{series.selector(slo)}"
    return Signal(sli_name(slo), f"{slo.sloth_id} bad ratio over {window_seconds} s", query, "ratio", slo.budget_ratio)


def _rate(selector: str) -> str:
    return f"sum(rate({names.HTTP_SERVER_DURATION}_count{{{selector}}}[5s]))"


def _latency(name: str, whose: str, where: str, selector: str) -> list[Signal]:
    """The p99, which a histogram tells to a bucket only, and the mean, which it tells exactly."""
    histogram = names.HTTP_SERVER_DURATION
    buckets = f"sum by (le) (rate({histogram}_bucket{{{selector}}}[5s]))"
    total, count = (f"sum(rate({histogram}_{part}{{{selector}}}[5s]))" for part in ("sum", "count"))
    return [
        Signal(
            f"{name}_p99_seconds", f"{whose} p99 {where}", f"histogram_quantile(0.99, {buckets})", units.QUANTILE, 0.4
        ),
        Signal(f"{name}_mean_seconds", f"{whose} mean latency {where}", f"{total} / {count}", "seconds"),
    ]


def _of_version(version: str) -> str:
    return f'job="feed",{_SERVED_FEED},{names.LABEL_VERSION}="{version}"'
