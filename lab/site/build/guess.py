"""The data of the page "Guess the cause": recorded incidents without their names, and each answer in a file of its own.

A recording ends at the responder's first change, and holds what a responder could have seen until then: neither the
fault, the graded instants nor the runbook branch that applied. It counts seconds from the page, as the score does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from msgspec.structs import replace

from lab.clients.documents import AuditRow, Document, Page
from lab.clients.times import epoch_seconds
from lab.drills.evidence.score_record import after_page
from lab.drills.grading import scorecard
from lab.drills.schema.measurements import SignalSamples
from lab.drills.schema.record import AlertSpan, ExemplaryTrace, LogLine, RunbookStep, TimelineRow
from lab.errors import LabError
from lab.site.render import links
from lab.site.sources.context import SiteContext
from lab.site.sources.records import Record
from lab.tracing.drawing import waterfall

FOLDER = "assets/data/guess"
INDEX = f"{FOLDER}/index.json"
SEEN = ("sli_bad", "firing", "page", "ack")  # the kinds of events that a responder sees
CHECK = "check"


class Rule(Document, frozen=True, kw_only=True):
    """What scores a diagnosis besides the answer: the constants of lab.drills.grading.scorecard."""

    points: int
    adjacent_share: float
    wrong_trigger_share: float
    neighbours: Sequence[tuple[str, str]]


class Index(Document, frozen=True, kw_only=True):
    """The first file that the page loads: the opaque id of each recording, and the rule."""

    recordings: Sequence[str]
    rule: Rule


class Recording(Document, frozen=True, kw_only=True):
    """A recorded incident without its name, as far as the console's replay reads a record.

    `t0` is the delivery of the page: all seconds count from it. `traces` holds drawn traces by id, if it has any.
    """

    t0: str
    end_seconds: float
    prediction: dict[str, str]  # only the alert that paged
    timeline: Sequence[TimelineRow]
    alerts: Sequence[AlertSpan]
    pages: Sequence[Page]
    actions: Sequence[AuditRow]
    runbook: Sequence[RunbookStep]
    signals: Sequence[SignalSamples]
    logs: Sequence[LogLine]
    traces: str | None


class Answer(Document, frozen=True, kw_only=True):
    """What the page loads once a diagnosis is locked in. Seconds count from the page; None: it never happened.

    `branch` is the runbook branch that the autopilot found. `postmortem` is relative to the site's root.
    """

    id: str
    title: str
    severity: str
    component: str
    trigger: str
    page_seconds: float  # from the injection, to find the page in the whole replay
    branch: str
    diagnosis_seconds: float | None
    mitigation_seconds: float | None
    recovery_seconds: float | None
    postmortem: str | None


def files(context: SiteContext, records: Iterable[Record]) -> Iterator[tuple[str, object]]:
    """Every file of the page: its path below the site's root and the document. Records without a page are left out."""
    playable = {opaque(record.ident): record for record in records if record.first("page")}
    yield INDEX, Index(recordings=sorted(playable), rule=rule())
    for name, record in playable.items():
        seen = {one.trace.trace_id: _waterfall(one) for one in record.traces if _over(one, _end(record)[0])}
        traces = f"{FOLDER}/{name}.traces.json" if seen else None
        yield f"{FOLDER}/{name}.json", recording(record, traces)
        yield f"{FOLDER}/{name}.answer.json", answer(context, record)
        if traces:
            yield traces, seen


def opaque(ident: str) -> str:
    """The id of an incident's recording in addresses: the same in every build, and not its name."""
    return sha256(f"guess the cause of {ident}".encode()).hexdigest()[:8]


def rule() -> Rule:
    """The rule of the scorecard as data."""
    return Rule(
        points=scorecard.DIAGNOSIS_POINTS,
        adjacent_share=scorecard.ADJACENT_SHARE,
        wrong_trigger_share=scorecard.WRONG_TRIGGER_SHARE,
        neighbours=sorted(scorecard.NEIGHBOURS),
    )


def recording(record: Record, traces: str | None = None) -> Recording:
    """What a responder could have seen of an incident before the first change. LabError for a record without a page."""
    data, page = record.data, record.first("page")
    if page is None:
        raise LabError(f"record {record.path} has no page, so nobody can guess its cause")
    zero, (end, until) = page.t_seconds, _end(record)
    return Recording(
        t0=page.at,
        end_seconds=_since(zero, until),
        prediction={"alert": record.prediction.alert},
        timeline=[_event(row, zero) for row in record.timeline if row.at < end and _is_visible(row)],
        alerts=[_alert(alert, zero, end) for alert in data.alerts if alert.starts_at < end],
        pages=[_page(delivered, end) for delivered in data.pages if delivered.received_at < end],
        actions=[row for row in data.actions if row.at < end],
        runbook=[
            replace(step, branch="", t_seconds=_since(zero, step.t_seconds))
            for step in data.runbook
            if step.step == CHECK and step.t_seconds + step.duration_seconds <= until
        ],
        signals=[_signal(signal, zero, until) for signal in data.signals],
        logs=[line for line in data.logs if line["ts"] < end],
        traces=traces,
    )


def answer(context: SiteContext, record: Record) -> Answer:
    """The cause of an incident, and how its autopilot did."""
    drill, durations = record.data.drill, record.data.durations
    diagnosis, postmortem = record.first("diagnosis"), context.postmortem(record.ident)
    page, recovered = durations.page_seconds or 0.0, durations.mttr_seconds
    return Answer(
        id=drill.id,
        title=drill.title,
        severity=drill.severity,
        component=drill.component,
        trigger=drill.trigger,
        page_seconds=page,
        branch=diagnosis.title if diagnosis else "",
        diagnosis_seconds=durations.diagnosis_seconds,
        mitigation_seconds=after_page(durations),
        recovery_seconds=None if recovered is None else _since(page, recovered),
        postmortem=links.page_url(postmortem) if postmortem else None,
    )


def _end(record: Record) -> tuple[str, float]:
    """The responder's first change, or the end of the record: (timestamp, seconds from the injection)."""
    for row in record.timeline:
        if row.kind == "action":
            return row.at, row.t_seconds
    ended = record.data.ended_at
    return ended, epoch_seconds(ended) - record.t0.timestamp()


def _is_visible(row: TimelineRow) -> bool:
    return row.kind in SEEN or _is_audited(row)


def _is_audited(row: TimelineRow) -> bool:
    """Whether an injection is a change in the audit log, which a responder can read. Other injections are hidden."""
    return row.kind == "inject" and row.evidence is not None and (row.evidence.pointer or "").startswith("/actions/")


def _event(row: TimelineRow, zero: float) -> TimelineRow:
    """An event without its evidence, in seconds from the page; an audited injection is a change like any other."""
    kind = "action" if row.kind == "inject" else row.kind
    return replace(row, kind=kind, t_seconds=_since(zero, row.t_seconds), evidence=None)


def _alert(alert: AlertSpan, zero: float, end: str) -> AlertSpan:
    return replace(alert, t_seconds=_since(zero, alert.t_seconds), ends_at=_past(alert.ends_at, end))


def _page(page: Page, end: str) -> Page:
    """A page as the pager showed it at the end of the recording."""
    resolved, acked, escalated = (_past(at, end) for at in (page.resolved_at, page.acked_at, page.escalated_at))
    return replace(
        page,
        status="resolved" if resolved else "firing",
        resolved_at=resolved,
        acked_at=acked,
        acked_by=page.acked_by if acked else None,
        escalated_at=escalated,
        escalated_to=page.escalated_to if escalated else None,
    )


def _signal(signal: SignalSamples, zero: float, until: float) -> SignalSamples:
    seen = int((until - signal.start_seconds) / signal.step_seconds) + 1
    return replace(signal, start_seconds=_since(zero, signal.start_seconds), values=signal.values[:seen])


def _past(at: str | None, end: str) -> str | None:
    """A timestamp that was over at the end, else None."""
    return at if at and at < end else None


def _since(zero: float, seconds: float) -> float:
    return round(seconds - zero, 3)


def _over(one: ExemplaryTrace, end: str) -> bool:
    root = one.trace.root()
    return root is not None and root.start + root.seconds < epoch_seconds(end)


def _waterfall(one: ExemplaryTrace) -> str:
    return str(waterfall(one.trace, label=f"Trace {one.trace.trace_id}"))
