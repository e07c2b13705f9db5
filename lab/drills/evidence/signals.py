"""The signals in a record: the query, unit and objective of each."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lab import names, units
from lab.clients.prometheus import Prometheus
from lab.drills.schema.measurements import SignalSamples
from lab.drills.schema.parts import Samples
from lab.errors import LabError
from lab.slo.catalogue import LAB, find_slo, load_specs, load_windows
from lab.slo.model import PAGE, Slo
from lab.slo.query.builders import mean, quantile, rate
from lab.slo.rendering import series
from lab.slo.thresholds import threshold_seconds

_GATEWAY = 'job="gateway"'
_FAILED = f'job="gateway",{names.LABEL_STATUS}=~"5.."'
# 2xx answers only, as in the latency SLIs: a refused request is fast but not served.
_SERVED_FEED = f'{names.LABEL_ROUTE}="{names.ROUTE_FEED}",{names.LABEL_STATUS}=~"2.."'
_GATEWAY_FEED = f'job="gateway",{_SERVED_FEED}'
WINDOW = "5s"
FEED_P99 = "feed-latency-p99"
DIGITS = 4  # significant digits of a recorded sample


@dataclass(frozen=True)
class Signal:
    """One line of a chart: the PromQL query, and the unit and objective of its result."""

    name: str
    title: str
    query: str
    unit: str
    objective: float | None = None


def signals(focus: Slo) -> list[Signal]:
    """The signals of an incident, in the order of the record; burn rates and budget are those of `focus`."""
    windows = load_windows(LAB)
    fast_burn = windows.of(PAGE)[0]
    lines = [_sli(slo, windows.shortest_seconds) for slo in load_specs()]
    for seconds in (fast_burn.long_seconds, fast_burn.short_seconds):
        burn = f"{series.error_ratio(seconds)}{series.selector(focus)} / {focus.budget_ratio:g}"
        lines.append(
            Signal(
                f"burn_rate_{seconds}s",
                f"{focus.sloth_id} burn rate over {seconds} s",
                burn,
                "x budget",
                fast_burn.factor,
            )
        )
    return [
        *lines,
        Signal(
            "budget_remaining_ratio",
            f"{focus.sloth_id} budget left",
            f"{series.BUDGET_REMAINING}{series.selector(focus)}",
            "ratio",
        ),
        *_latency("feed", "Feed", "at the gateway", _GATEWAY_FEED),
        *_latency("feed_stable", "Feed", "of stable", _of_version(names.OF_STABLE)),
        *_latency("feed_canary", "Feed", "of the canary", _of_version(names.OF_CANARY)),
        Signal(
            "canary_weight_ratio", "Share of users sent to the canary", f"max({names.GATEWAY_CANARY_WEIGHT})", "ratio"
        ),
        Signal("offered_per_second", "Load offered", rate(names.TRAFFIC_OFFERED, WINDOW), "requests/s"),
        Signal("requests_per_second", "Requests completed at the gateway", _requests(_GATEWAY), "requests/s"),
        Signal(
            "error_ratio",
            "Server errors at the gateway",
            f"({_requests(_FAILED)} or vector(0)) / {_requests(_GATEWAY)}",
            "ratio",
        ),
    ]


def sample(prometheus: Prometheus, signal: Signal, t0: float, start: float, end: float) -> SignalSamples:
    """The signal at every second from `start` to `end` (epoch seconds); a second without a finite sample is None.

    `start_seconds` counts from `t0`.
    """
    first, last = math.floor(start), math.floor(end)
    matrix = prometheus.range(signal.query, first, last)
    values: Samples = [None] * (last - first + 1)
    for at, value in matrix[0].points if matrix else []:
        values[round(at) - first] = float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return SignalSamples(
        name=signal.name,
        title=signal.title,
        query=signal.query,
        unit=signal.unit,
        objective=signal.objective,
        start_seconds=round(first - t0, 3),
        step_seconds=1,
        values=values,
    )


def sli_name(slo: Slo) -> str:
    """The name of an SLO's bad ratio among the signals: `feed_latency_p99_bad_ratio`."""
    return slo.sloth_id.replace("-", "_") + "_bad_ratio"


def _sli(slo: Slo, window_seconds: int) -> Signal:
    query = f"{series.error_ratio(window_seconds)}{series.selector(slo)}"
    return Signal(sli_name(slo), f"{slo.sloth_id} bad ratio over {window_seconds} s", query, "ratio", slo.budget_ratio)


def _requests(matchers: str) -> str:
    return rate(f"{names.HTTP_SERVER_DURATION}_count", WINDOW, matchers)


def feed_threshold_seconds() -> float:
    """The latency within which a feed must be answered, from the spec of the p99 SLO. LabError if the spec has none."""
    threshold = threshold_seconds(find_slo(FEED_P99))
    if threshold is None:
        raise LabError(f"the query of {FEED_P99} has no bucket edge (le), so the feed signals have no objective")
    return threshold


def _latency(name: str, whose: str, where: str, matchers: str) -> list[Signal]:
    """The p99, which a histogram gives to the nearest bucket, and the mean, which it gives exactly."""
    p99 = quantile(0.99, names.HTTP_SERVER_DURATION, WINDOW, matchers)
    average = mean(names.HTTP_SERVER_DURATION, WINDOW, matchers)
    return [
        Signal(f"{name}_p99_seconds", f"{whose} p99 {where}", p99, units.QUANTILE, feed_threshold_seconds()),
        Signal(f"{name}_mean_seconds", f"{whose} mean latency {where}", average, "seconds"),
    ]


def _of_version(matcher: str) -> str:
    return f'job="feed",{_SERVED_FEED},{matcher}'
