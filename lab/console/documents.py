"""The JSON documents of the console's API as frozen types; docs/assets/console reads them.

Timestamps are UTC strings, other times epoch seconds; ratios run from 0 to 1. None is a figure without data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from lab.change.log import Mark
from lab.clients.documents import AuditRow, Document, Page
from lab.console.change_documents import ChangeState
from lab.drills.schema.grades import Check, Score
from lab.drills.schema.measurements import Durations
from lab.drills.schema.parts import Number, Samples

NodeState = Literal["ok", "warn", "bad", "unknown"]
Condition = Literal["page", "ticket", "no data", "outside", "ok"]


class Sources(Document, frozen=True, kw_only=True):
    """Each source of a snapshot: `ok`, or why it does not answer."""

    prometheus: str
    pager: str


class Target(Document, frozen=True, kw_only=True):
    """One process that Prometheus scrapes."""

    job: str
    instance: str
    up: bool


class Node(Document, frozen=True, kw_only=True):
    """One node of the system map."""

    name: str
    state: NodeState
    text: str


class Traffic(Document, frozen=True, kw_only=True):
    """The load, and the ratios that the map and the controls show."""

    offered_per_second: float | None
    completed_per_second: float | None
    dropped_per_second: float | None
    canary_weight_ratio: float | None
    cache_hit_ratio: float | None
    db_pool_used_ratio: float | None


class CapacityState(Document, frozen=True, kw_only=True):
    """The offered load beside the measured capacity, in requests per second: the low ends of the 95 % intervals.

    `n_minus_one` is the capacity without one feed replica; None when it was not measured.
    """

    offered_per_second: float
    default: float
    n_minus_one: float | None
    state: Literal["ok", "no spare", "above"]


class NoTraffic(Document, frozen=True, kw_only=True):
    """Instead of Traffic while Prometheus does not answer: an empty object."""


class BurnTier(Document, frozen=True, kw_only=True):
    """One tier of a burn-rate alert: its factor, and the burn rates over its two windows."""

    severity: str
    factor: float
    long_window: str
    long_burn: float | None
    short_window: str
    short_burn: float | None


class SloState(Document, frozen=True, kw_only=True):
    """One SLO now. `good_ratio` is measured over `window`."""

    id: str
    title: str
    service: str
    objective_ratio: float
    good_ratio: float | None
    window: str
    budget_remaining_ratio: float | None
    tiers: Sequence[BurnTier]
    state: Condition


class FlagState(Document, frozen=True, kw_only=True):
    """One feature flag."""

    flag: str
    enabled: bool


class AlertState(Document, frozen=True, kw_only=True):
    """One pending or firing alert."""

    name: str
    severity: str
    state: str


class ChartLine(Document, frozen=True, kw_only=True):
    """One line of a chart: values[i] is the value at start + i * step_seconds of the chart."""

    title: str
    values: Samples


class Dot(Document, frozen=True, kw_only=True):
    """One request on a chart: its end in epoch seconds, its value in the chart's unit, and its trace."""

    at: float
    value: float
    trace_id: str


class ChartSeries(Document, frozen=True, kw_only=True):
    """One chart (lab.console.charts.Chart) with its recent values. `start` is in epoch seconds."""

    name: str
    title: str
    unit: str
    objective: float | None
    start: float
    step_seconds: int
    lines: Sequence[ChartLine]
    dots: Sequence[Dot]


class Measured(Document, frozen=True, kw_only=True):
    """The part of a snapshot that comes from Prometheus; the defaults while Prometheus does not answer.

    `silences` is the number of active silences; `too_busy` says why the machine is too busy for the lab, or "".
    `capacity` is None where no sweep was recorded.
    """

    slos: Sequence[SloState] = ()
    targets: Sequence[Target] = ()
    nodes: Sequence[Node] = ()
    flow: Traffic | NoTraffic = NoTraffic()
    capacity: CapacityState | None = None
    silences: float | None = None
    too_busy: str = ""
    flags: Sequence[FlagState] = ()
    alerts: Sequence[AlertState] = ()
    series: Sequence[ChartSeries] = ()


class Paged(Document, frozen=True, kw_only=True):
    """The pager's last answer, received at `told_at` (None: it never answered): pages and audit rows, newest first.

    `changes` are those of the audit rows that altered something, for the charts.
    """

    pages: Sequence[Page] = ()
    audit: Sequence[AuditRow] = ()
    changes: Sequence[Mark] = ()
    told_at: str | None = None


class Snapshot(Measured, frozen=True, kw_only=True):
    """The lab at one time. Lab time runs `factor` times faster than production's windows."""

    at: str
    factor: int
    sources: Sources
    change: ChangeState
    pages: Sequence[Page]  # from here on as in Paged; a struct has one base
    audit: Sequence[AuditRow]
    changes: Sequence[Mark]
    told_at: str | None


class QueryRow(Document, frozen=True, kw_only=True):
    """One series of a query's result now. JSON has no infinity and no NaN: these are strings."""

    labels: str
    value: float | str


class QueryAnswer(Document, frozen=True, kw_only=True):
    """A query's result now, the first of `total` series as rows, and as lines from `start` (epoch seconds) on."""

    total: int
    rows: Sequence[QueryRow]
    start: float
    step_seconds: int
    lines: Sequence[ChartLine]


class LoggedRequest(Document, frozen=True, kw_only=True):
    """One request as the gateway logged it. `upstream` is the service that it was passed to."""

    trace_id: Annotated[str, Meta(min_length=1)]
    ts: str | None = None
    method: str | None = None
    path: str | None = None
    status: int | None = None
    duration_seconds: Number | None = None
    upstream: str | None = None


class StartedDrill(Document, frozen=True, kw_only=True):
    """The drill that the console started: its process, its responder, and the user who started it."""

    pid: int
    responder: str
    by: str


class RunningDrill(Document, frozen=True, kw_only=True):
    """The running drill, or `random`. `responder` and `by` are None if it was started in a terminal."""

    id: str
    pid: int
    responder: str | None = None
    by: str | None = None


class OfferedDrill(Document, frozen=True, kw_only=True):
    """One drill that the console can start."""

    id: str
    title: str


class ScoreCard(Document, frozen=True, kw_only=True):
    """The result of one run, from its record.

    `why` is the verdict in one sentence; `predicted_seconds` is the predicted detection.
    """

    id: str
    title: str
    responder: str
    ended_at: str
    ended_epoch: float
    verdict: str
    why: str
    checks: Sequence[Check]
    durations: Durations
    predicted_seconds: float | None
    score: Score | None


class Actions(Document, frozen=True, kw_only=True):
    """What a user may do. The defaults are those of a read-only console."""

    able: bool = False
    running: RunningDrill | None = None
    lines: Sequence[str] = ()
    score: ScoreCard | None = None
    drills: Sequence[OfferedDrill] = ()


class LabActions(Actions, frozen=True, kw_only=True):
    """The actions on a lab on this host, and its drills.

    `left_over`: a killed drill left a journal to undo. `ending_by` is the user who is stopping the drill; `ended` is
    the outcome of the last stop, "" without one. `lines` are the last output lines of the drill, `score` the newest
    result; `components` and `triggers` are the choices of a diagnosis.
    """

    left_over: bool
    ending_by: str | None
    ended: str
    components: Sequence[str]
    triggers: Sequence[str]


class LiveConsole(Snapshot, frozen=True, kw_only=True):
    """All that the console's page shows."""

    actions: Actions


class AcknowledgedPage(Page, frozen=True, kw_only=True):
    """A page after its acknowledgement. `acked_by_this_call` is False if it had been acknowledged before."""

    acked_by_this_call: bool
