"""The traces that a record keeps: a telling one of a bad request, the worst one, and a normal one from before."""

from __future__ import annotations

from collections.abc import Sequence

from lab import names
from lab.drills.run.incident import Incident
from lab.drills.schema.record import NORMAL, TELLING, WORST, ExemplaryTrace, Role
from lab.errors import UsageError
from lab.slo.model import Slo
from lab.slo.thresholds import threshold_seconds
from lab.telemetry.sampling import BASELINE
from lab.tracing import store
from lab.tracing.documents import Summary

ROUTES = {"feed": names.ROUTE_FEED, "user": names.ROUTE_USER}
# A minute before the fault has sixty baseline traces.
BEFORE_SECONDS = 60.0
SEARCHED = 10_000


def traces(incident: Incident) -> list[ExemplaryTrace]:
    """The exemplary traces of an incident whose SLO is at stake; none where no trace was kept."""
    slo = incident.slo
    if slo is None or slo.service not in ROUTES:
        return []
    home = incident.clients.home
    try:
        kept = store.summaries(home, since=incident.t0 - BEFORE_SECONDS, name=ROUTES[slo.service], limit=SEARCHED)
    except UsageError:
        return []
    chosen = choose(slo, [line for line in kept if line.started <= incident.ended_at], incident.t0)
    return [ExemplaryTrace(role=role, trace=store.find(home, ident)) for role, ident in chosen.items()]


def choose(slo: Slo, kept: Sequence[Summary], t0: float) -> dict[Role, str]:
    """The ids of the exemplary traces by role, of those that exist.

    Telling is the bad request with the median time: its trace shows what most of the others show. The worst took the
    longest. Normal is the request before `t0` (epoch seconds) with the median time, of the sample of all requests.
    """
    limit = threshold_seconds(slo)
    bad = [
        line for line in kept
        if line.started >= t0 and (line.status >= 500 if limit is None else line.status < 300 and line.seconds > limit)
    ]  # fmt: skip
    normal = [line for line in kept if line.started < t0 and line.reason == BASELINE and line.status < 300]
    chosen: dict[Role, str] = {}
    if bad:
        chosen[TELLING] = _median(bad)
        worst = max(bad, key=lambda line: line.seconds).trace_id
        if worst != chosen[TELLING]:
            chosen[WORST] = worst
    if normal:
        chosen[NORMAL] = _median(normal)
    return chosen


def _median(lines: Sequence[Summary]) -> str:
    return sorted(lines, key=lambda line: line.seconds)[len(lines) // 2].trace_id
