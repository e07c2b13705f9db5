"""Live snapshots of the lab for the console, gathered from Prometheus and the pager.

All viewers share one snapshot per second, so ten open tabs cost as much as one. When a source does not answer, the
snapshot names it and still holds the other source's data, and the pager's last answer with its time: a pager that does
not answer must not look like one without pages.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec.structs import asdict

from lab import names
from lab.change import log
from lab.clients.pager import Pager
from lab.clients.prometheus import ActiveAlert, Exemplar, Prometheus, Sample
from lab.clients.times import utc_text
from lab.console.change_documents import ChangeState
from lab.console.charts import WINDOW, Chart
from lab.console.documents import (
    AlertState,
    BurnTier,
    CapacityState,
    ChartLine,
    ChartSeries,
    Condition,
    Dot,
    FlagState,
    Measured,
    Node,
    NodeState,
    Paged,
    SloState,
    Snapshot,
    Sources,
    Target,
    Traffic,
)
from lab.drills.schema.parts import Samples
from lab.errors import LabError
from lab.slo.catalogue import title
from lab.slo.durations import format_duration
from lab.slo.model import PAGE, TICKET, Slo, Tier, Windows
from lab.slo.query.builders import rate, ratio
from lab.slo.rendering import series
from lab.stack.health import machine

T = TypeVar("T", Measured, Paged)

SNAPSHOT_SECONDS = 1.0
CHART_SPAN_SECONDS = 300
CHART_STEP_SECONDS = 2
DOT_SECONDS = 5
PAGES_SHOWN = 20
AUDIT_SHOWN = 30

_SLO_QUERY = f'{{__name__=~"slo:sli_error:ratio_rate.+|{series.BUDGET_REMAINING}", {series.LABEL_ID}!=""}}'
_TRAFFIC = {
    "offered_per_second": rate(names.TRAFFIC_OFFERED, WINDOW),
    "completed_per_second": rate(names.TRAFFIC_COMPLETED, WINDOW),
    "dropped_per_second": rate(names.TRAFFIC_DROPPED, WINDOW),
    "canary_weight_ratio": f"max({names.GATEWAY_CANARY_WEIGHT})",
    "cache_hit_ratio": ratio(rate(names.CACHE_REQUESTS, WINDOW, 'result="hit"'), rate(names.CACHE_REQUESTS, WINDOW)),
    "db_pool_used_ratio": f'sum({names.DB_POOL_CONNECTIONS}{{state="used"}}) / sum({names.DB_POOL_MAX})',
}


@dataclass
class Watcher:
    """Takes a snapshot at most every SNAPSHOT_SECONDS, for any number of threads.

    `windows` is the lab's window profile; `change` says what may be changed, from the SLOs and epoch seconds; `now`
    returns epoch seconds.
    """

    prometheus: Prometheus
    pager: Pager
    slos: Sequence[Slo]
    windows: Windows
    charts: Sequence[Chart]
    change: Callable[[Sequence[SloState], float], ChangeState] = lambda _slos, _at: ChangeState()
    now: Callable[[], float] = time.time
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _taken_at: float = 0.0
    _snapshot: Snapshot | None = None
    _last_paged: Paged = field(default_factory=Paged)

    def snapshot(self) -> Snapshot:
        """The current snapshot, at most SNAPSHOT_SECONDS old."""
        with self._lock:
            if self._snapshot is None or time.monotonic() - self._taken_at >= SNAPSHOT_SECONDS:
                self._snapshot = self._take()
                self._taken_at = time.monotonic()
            return self._snapshot

    def _take(self) -> Snapshot:
        at = self.now()
        measured, prometheus = _answer(self._measured, at, Measured())
        self._last_paged, pager = _answer(self._paged, at, self._last_paged)
        return Snapshot(
            at=utc_text(at),
            factor=self.windows.time_factor,
            change=self.change(measured.slos, at),
            sources=Sources(prometheus=prometheus, pager=pager),
            **asdict(measured),
            **asdict(self._last_paged),
        )

    def _measured(self, at: float) -> Measured:
        instant = self.prometheus.instant
        targets = instant("up")
        traffic = Traffic(**{name: _finite(self.prometheus.number(query)) for name, query in _TRAFFIC.items()})
        alerts = self.prometheus.alerts()
        flags = sorted((s.labels.get("flag", ""), s.value > 0) for s in instant(names.FEATURE_FLAG_ENABLED))
        slos = self._slos(instant(_SLO_QUERY), alerts)
        others_ratio = self.prometheus.number(machine.too_busy_query())
        return Measured(
            slos=slos,
            targets=[
                Target(job=s.labels.get("job", ""), instance=s.labels.get("instance", ""), up=s.value > 0)
                for s in targets
            ],
            nodes=_nodes(targets, traffic, {slo.service for slo in slos if slo.state == PAGE}),
            flow=traffic,
            capacity=_capacity(instant(names.CAPACITY_MEASURED), traffic.offered_per_second),
            silences=_finite(self.prometheus.number(names.SILENCES_ACTIVE)),
            too_busy="" if others_ratio is None else machine.too_busy(others_ratio),
            flags=[FlagState(flag=flag, enabled=enabled) for flag, enabled in flags],
            alerts=[
                AlertState(
                    name=alert.labels.get("alertname", ""),
                    severity=alert.labels.get("severity", ""),
                    state=alert.state,
                )
                for alert in alerts
            ],
            series=[self._series(chart, at) for chart in self.charts],
        )

    def _slos(self, samples: Sequence[Sample], alerts: Sequence[ActiveAlert]) -> list[SloState]:
        by_id: dict[str, dict[str, float]] = {}
        for sample in samples:
            by_id.setdefault(sample.labels[series.LABEL_ID], {})[sample.labels["__name__"]] = sample.value
        return [self._slo(slo, by_id.get(slo.sloth_id, {}), alerts) for slo in self.slos]

    def _slo(self, slo: Slo, values: dict[str, float], alerts: Sequence[ActiveAlert]) -> SloState:
        firing = {
            alert.labels.get("severity")
            for alert in alerts
            if alert.labels.get(series.LABEL_ID) == slo.sloth_id and alert.state == "firing"
        }
        window = self.windows.tiers[0].long_seconds
        error = _finite(values.get(series.error_ratio(window)))
        states: tuple[tuple[bool, Condition], ...] = (
            (PAGE in firing, "page"),
            (TICKET in firing, "ticket"),
            (error is None, "no data"),
            (error is not None and error > slo.budget_ratio, "outside"),
        )
        return SloState(
            id=slo.sloth_id,
            title=title(slo),
            service=slo.service,
            objective_ratio=slo.objective_ratio,
            good_ratio=None if error is None else 1 - error,
            window=format_duration(window),
            budget_remaining_ratio=_finite(values.get(series.BUDGET_REMAINING)),
            tiers=[_tier(tier, slo.budget_ratio, values) for tier in self.windows.tiers],
            state=next((name for holds, name in states if holds), "ok"),
        )

    def _series(self, chart: Chart, at: float) -> ChartSeries:
        end = at - at % CHART_STEP_SECONDS
        start = end - CHART_SPAN_SECONDS
        count = CHART_SPAN_SECONDS // CHART_STEP_SECONDS + 1
        lines = []
        for name, query in chart.queries:
            values: Samples = [None] * count
            for line in self.prometheus.range(query, start, end, CHART_STEP_SECONDS)[:1]:
                for moment, value in line.points:
                    values[round((moment - start) / CHART_STEP_SECONDS)] = _finite(value)
            lines.append(ChartLine(title=name, values=values))
        return ChartSeries(
            name=chart.name,
            title=chart.title,
            unit=chart.unit,
            objective=chart.objective,
            start=start,
            step_seconds=CHART_STEP_SECONDS,
            lines=lines,
            dots=self._dots(chart, start, at),
        )

    def _dots(self, chart: Chart, start: float, end: float) -> list[Dot]:
        """The slowest exemplar of every DOT_SECONDS."""
        slowest: dict[int, Exemplar] = {}
        for one in self.prometheus.exemplars(chart.exemplars, start, end) if chart.exemplars else ():
            key = int(one.at // DOT_SECONDS)
            if one.at >= start and (key not in slowest or one.value > slowest[key].value):
                slowest[key] = one
        return [Dot(**one._asdict()) for one in slowest.values()]

    def _paged(self, at: float) -> Paged:
        pages, audit = self.pager.pages()[:PAGES_SHOWN], self.pager.audit(last=AUDIT_SHOWN)[::-1]
        return Paged(pages=pages, audit=audit, changes=log.marks(audit), told_at=utc_text(at))


def _answer(gather: Callable[[float], T], at: float, otherwise: T) -> tuple[T, str]:
    """(the source's answer, "ok"); (`otherwise`, the reason) if it does not answer."""
    try:
        return gather(at), "ok"
    except (LabError, KeyError, ValueError) as error:
        return otherwise, str(error)


def _tier(tier: Tier, budget_ratio: float, values: dict[str, float]) -> BurnTier:
    def burn(seconds: int) -> float | None:
        error = _finite(values.get(series.error_ratio(seconds)))
        return None if error is None else error / budget_ratio

    return BurnTier(
        severity=tier.severity,
        factor=tier.factor,
        long_window=format_duration(tier.long_seconds),
        long_burn=burn(tier.long_seconds),
        short_window=format_duration(tier.short_seconds),
        short_burn=burn(tier.short_seconds),
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _capacity(measured: Sequence[Sample], offered: float | None) -> CapacityState | None:
    """The load beside the capacities that the exporter reports; None without either."""
    by_name = {sample.labels.get("configuration", ""): sample.value for sample in measured}
    default, spare = by_name.get("default"), by_name.get("n-1")
    if default is None or offered is None:
        return None
    without_spare = spare is not None and offered > spare
    return CapacityState(
        offered_per_second=offered,
        default=default,
        n_minus_one=spare,
        state="above" if offered > default else "no spare" if without_spare else "ok",
    )


def _nodes(targets: Sequence[Sample], traffic: Traffic, paging: set[str]) -> list[Node]:
    """One entry per node of the system map: how many of its processes are up, and whether its SLOs page."""
    groups: dict[str, list[bool]] = {name: [] for name in ("traffic", "gateway", "feed", "feed-canary", "user")}
    for target in targets:
        instance = target.labels.get("instance", "")
        stem = instance.rpartition("-")[0] or instance
        name = next((group for group in (instance, stem) if group in groups), None)
        if name:
            groups[name].append(target.value > 0)
    nodes = []
    state: NodeState
    for name, ups in groups.items():
        state = "unknown" if not ups else "ok" if all(ups) else "warn" if any(ups) else "bad"
        text = f"{sum(ups)} of {len(ups)} up" if ups else "none"
        if name in paging:
            state, text = "bad", "paging" if all(ups) else text
        nodes.append(Node(name=name, state=state, text=text))
    nodes.append(_level("cache", "hits", traffic.cache_hit_ratio, warn=lambda ratio: ratio < 0.9))
    nodes.append(_level("db", "pool", traffic.db_pool_used_ratio, warn=lambda ratio: ratio >= 0.9))
    return nodes


def _level(name: str, what: str, ratio: float | None, *, warn: Callable[[float], bool]) -> Node:
    if ratio is None:
        return Node(name=name, state="unknown", text="no data")
    return Node(name=name, state="warn" if warn(ratio) else "ok", text=f"{what} {ratio:.0%}")
