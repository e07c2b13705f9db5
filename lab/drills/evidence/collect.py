"""Collects the evidence of an incident from Prometheus and the logs: alerts, SLI milestones, budget, log lines."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lab import names
from lab.clients.prometheus import Series
from lab.clients.times import epoch_seconds, utc_text
from lab.drills.evidence import burn_replay, definitions, impact
from lab.drills.pipeline import read_pipeline
from lab.drills.run.incident import Incident
from lab.drills.schema.measurements import SloBudget, SloCounts, Users
from lab.drills.schema.parts import Samples
from lab.drills.schema.record import AlertSpan, LogLine
from lab.slo.catalogue import find_slo
from lab.slo.model import TICKET
from lab.slo.rendering.budget import interval_seconds
from lab.stack import logs
from lab.stack.health import machine

# The SLI counts as recovered after this many good seconds without a bad one between them.
GOOD_SECONDS = 5
SAMPLED_LINES = 6


def sli_bad_at(values: Samples, start_seconds: float, budget_ratio: float) -> float | None:
    """Seconds after the injection at which the SLI first missed its objective; None: never.

    `values` are bad ratios, one a second from `start_seconds` on; `budget_ratio` is the largest ratio within the
    objective.
    """
    for index, value in enumerate(values):
        at = start_seconds + index
        if at >= 0 and value is not None and value > budget_ratio:
            return at
    return None


def sli_recovered_at(values: Samples, start_seconds: float, budget_ratio: float, after_seconds: float) -> float | None:
    """Seconds after the injection, `after_seconds` or later, from which the SLI was good for GOOD_SECONDS; None: never.

    A second without a sample neither counts nor interrupts. The other parameters are those of `sli_bad_at`.
    """
    since, good = 0.0, 0
    for index, value in enumerate(values):
        at = start_seconds + index
        if at < after_seconds or value is None:
            continue
        if value > budget_ratio:
            good = 0
            continue
        since, good = (since if good else at), good + 1
        if good > GOOD_SECONDS:
            return since
    return None


def holds_from(samples: Sequence[float], end: float) -> float | None:
    """The time from which a condition held until `end`; None if it did not.

    `samples` are the times, one a second, at which it held.
    """
    since = end
    for at in sorted(samples, reverse=True):
        if since - at > 1.5:
            break
        since = at
    return since if since < end else None


def alerts(incident: Incident) -> list[AlertSpan]:
    """Every alert that fired between the injection and the end.

    Each span lasts from the evaluation at which it began to the one at which it ended. `ends_at` is None if it fires at
    the end of the incident.
    """
    start, end = math.floor(incident.t0) - 30, incident.ended_at
    firing = 'ALERTS{alertstate="firing",severity!="none"}'
    evaluated = incident.clients.prometheus.range(f"timestamp({firing})", start, end)
    interval = read_pipeline(incident.clients).evaluation_interval_seconds
    slow = interval_seconds(incident.windows)
    rows = []
    for series in evaluated:
        labels = series.labels
        step = slow if labels.get("severity") == TICKET and labels.get("sloth_id") else interval
        for first, last in _spans(series):
            began, ended = first[1], last[1] + step
            over = last[0] + 1 < incident.ended_at
            if over and ended < incident.t0:
                continue
            rows.append(
                AlertSpan(
                    name=labels["alertname"],
                    severity=labels.get("severity", ""),
                    service=labels.get("service", ""),
                    starts_at=utc_text(began),
                    ends_at=utc_text(ended) if over else None,
                    t_seconds=round(incident.since_t0(began), 3),
                    labels={k: v for k, v in sorted(labels.items()) if k not in ("__name__", "alertstate")},
                )
            )
    return sorted(rows, key=lambda row: row.starts_at)


def _spans(series: Series) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """First and last (query time, evaluation time) of each run of samples without a gap."""
    start = last = series.points[0]
    for point in series.points[1:]:
        if point[0] - last[0] > 1.5:
            yield start, last
            start = point
        last = point
    yield start, last


def budget(incident: Incident, counts: Mapping[str, SloCounts]) -> dict[str, SloBudget]:
    """The cost of the incident to each SLO, from the injection to its end, by sloth_id."""
    until = incident.since_t0(incident.ended_at)
    spent = {}
    for sloth_id in counts:
        slo, events = find_slo(sloth_id), burn_replay.counts_of(counts, sloth_id)
        spent[sloth_id] = definitions.budget(events, until, slo, incident.windows.period_seconds)
    return spent


def starved(incident: Incident, start: float) -> str:
    """Why the machine was too busy at some time from `start` (epoch seconds) to the end, or "" if it was not."""
    matrix = incident.clients.prometheus.range(machine.too_busy_query(), start, incident.ended_at)
    worst = max((value for series in matrix for _, value in series.points), default=None)
    return "" if worst is None else machine.too_busy(worst)


def down_targets(incident: Incident) -> tuple[str, ...]:
    """The targets that are down at the end: without an answer for 3 s, so that one slow scrape does not count."""
    samples = incident.clients.prometheus.instant("max_over_time(up[3s]) == 0", incident.ended_at)
    return tuple(sorted(sample.labels.get("instance", "?") for sample in samples))


def sampled_logs(incident: Incident, threshold_seconds: float, trace_ids: Sequence[str] = ()) -> list[LogLine]:
    """The log lines of these requests; without any, of the slowest feed request and of a fast one near it in time.

    They are of all services. A request with hundreds of lines is cut to its first SAMPLED_LINES in each process.
    """
    folder = incident.clients.home.logs
    if trace_ids:
        return [line for ident in trace_ids for line in _trace(folder, ident)]
    gateway = [line for line in _lines(folder / "gateway.log") if _is_feed_request(line) and _within(incident, line)]
    slow = max((line for line in gateway if line["duration_seconds"] > threshold_seconds), key=_duration, default=None)
    if slow is None:
        return []
    fine = [line for line in gateway if line["duration_seconds"] <= threshold_seconds and line.get("status") == 200]
    fast = min(fine, key=lambda line: abs(epoch_seconds(line["ts"]) - epoch_seconds(slow["ts"])), default=None)
    return [line for request in (slow, fast) if request for line in _trace(folder, request["trace_id"])]


def users(incident: Incident) -> Users | None:
    """The users who sent requests and those hit, from the injection to the end; None where no SLO is at stake."""
    if incident.slo is None:
        return None
    lines = _lines(incident.clients.home.logs / "gateway.log", '"request"')
    return impact.users(
        (line for line in lines if line.get("event") == "request" and _within(incident, line)), incident.slo
    )


def _trace(folder: Path, trace_id: str) -> list[LogLine]:
    sampled = []
    for file in sorted(folder.glob("*.log")):
        lines = (line for line in _lines(file, trace_id) if line.get("trace_id") == trace_id)
        sampled += [line for line, _ in zip(lines, range(SAMPLED_LINES), strict=False)]
    return sorted(sampled, key=lambda line: str(line["ts"]))


def _lines(file: Path, needle: str = "") -> Iterator[LogLine]:
    """The JSON lines of a log that contain `needle`, rotated parts included; a torn line is skipped."""
    for line in logs.read(file):
        if needle in line and line.startswith("{"):
            with contextlib.suppress(ValueError, RecursionError):
                yield json.loads(line)


def _is_feed_request(line: LogLine) -> bool:
    return line.get("event") == "request" and line.get("route") == names.ROUTE_FEED and "trace_id" in line


def _within(incident: Incident, line: LogLine) -> bool:
    return incident.t0 <= epoch_seconds(str(line["ts"])) <= incident.ended_at


def _duration(line: LogLine) -> float:
    return float(line["duration_seconds"])
