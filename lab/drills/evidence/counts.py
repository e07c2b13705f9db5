"""Counts the events of every SLO per second, from the gateway's counters. Records are verified against these counts.

An SLO's own queries are rates over a window. The same queries with irate() return the increment between the last two
scrapes, without extrapolation: multiplied by the time between them it is a whole number of events. Each query is
evaluated half a second after a scrape, so that an early or late scrape is neither missed nor counted twice, in
Prometheus 2 and 3.
"""

from __future__ import annotations

import json
import math
import re

from lab.clients.prometheus import Prometheus
from lab.drills.schema.measurements import SloCounts
from lab.errors import LabError
from lab.slo.catalogue import load_specs
from lab.slo.model import EventsSli, Windows
from lab.slo.query.tree import Selector, parse, selectors
from lab.slo.rendering.ratios import in_window

# irate()'s window, and so the number of consecutive scrapes that may fail.
REACH_SECONDS = 10
_RATE = re.compile(r"\b(?:rate|increase)\s*\(")


def read(prometheus: Prometheus, windows: Windows, t0: float, end: float) -> dict[str, SloCounts]:
    """The counts of every SLO by sloth_id, from the longest window before the injection to `end` (epoch seconds).

    Raises LabError when an SLO has none.
    """
    start = t0 - max(windows.all_seconds) - windows.shortest_seconds
    counts = {}
    for sloth_id, slo in sorted((slo.sloth_id, slo) for slo in load_specs()):
        if isinstance(slo.sli, EventsSli):
            counts[sloth_id] = _of(prometheus, sloth_id, slo.sli, t0, start, end)
    return counts


def increments(query: str) -> str:
    """An SLO's query rewritten to the rate of increase between the last two scrapes, per second."""
    return in_window(_RATE.sub("irate(", query), REACH_SECONDS)


def scraped(query: str) -> str:
    """A query for the time of the last scrape (epoch seconds) of the series in an SLO's query."""
    first = next(selectors(parse(in_window(query, REACH_SECONDS))))
    return f"max(timestamp({_written(first)}))"


def _of(prometheus: Prometheus, sloth_id: str, sli: EventsSli, t0: float, start: float, end: float) -> SloCounts:
    latest = [at for _, at in _points(prometheus, scraped(sli.total_query), math.floor(t0) - 60, end)]
    if not latest:
        raise LabError(f"Prometheus has no scrape of the series of {sloth_id}; see 'fleetops status'")
    # The median of the scrapes' offsets within the second, so that a late scrape does not shift it.
    phase = sorted((at - latest[-1] + 0.5) % 1 for at in latest)[len(latest) // 2] + latest[-1] - 0.5
    query_start = math.floor(start - phase) + phase + 0.5
    stamps = dict(_points(prometheus, scraped(sli.total_query), query_start, end))
    total = dict(_points(prometheus, increments(sli.total_query), query_start, end))
    bad = dict(_points(prometheus, f"({increments(sli.error_query)}) or on () vector(0)", query_start, end))
    rows: list[tuple[float | None, float | None]] = []
    first, before = None, None
    for index in range(math.floor(end - query_start) + 1):
        at = round(query_start + index, 3)
        stamp, events = stamps.get(at), total.get(at)
        if stamp is not None and before is not None and stamp > before and events is not None:
            first = index if first is None else first
            rows.append((_number(events * (stamp - before)), _number(bad.get(at, 0.0) * (stamp - before))))
        elif first is not None:
            rows.append((None, None))
        before = stamp if stamp is not None else before
    if first is None:
        raise LabError(f"Prometheus has no counts of {sloth_id}; see 'fleetops status'")
    while rows and rows[-1][0] is None:
        rows.pop()
    return SloCounts(
        start_seconds=round(query_start + first - 0.5 - t0, 3),
        step_seconds=1,
        total_events=_number(sum(events or 0 for events, _ in rows)),
        bad_events=_number(sum(events or 0 for _, events in rows)),
        total=[events for events, _ in rows],
        bad=[events for _, events in rows],
    )


def _points(prometheus: Prometheus, query: str, start: float, end: float) -> list[tuple[float, float]]:
    matrix = prometheus.range(query, start, end)
    points = matrix[0].points if matrix else []
    return [(round(at, 3), value) for at, value in points if math.isfinite(value)]


def _number(value: float) -> float:
    """An integer if the value is one up to rounding, else a number with three decimals."""
    return round(value) if abs(value - round(value)) < 0.01 else round(value, 3)


def _written(selector: Selector) -> str:
    matchers = (
        f"{matcher.label}{matcher.op}{json.dumps(matcher.value, ensure_ascii=False)}" for matcher in selector.matchers
    )
    return f"{selector.metric}{{{','.join(matchers)}}}"
