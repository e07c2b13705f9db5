"""The record of an incident as frozen types: what is read and written is checked once, here.

The published JSON schema (record.schema.json) is generated from these types: `python -m lab.drills.schema.record`.
Durations and `t_seconds` are seconds, `t_seconds` from the injection of the fault; ratios run from 0 to 1; instants are
UTC (RFC 3339). A duration of None never happened.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from lab.clients.documents import AuditRow, Page
from lab.drills.schema.figures import BUDGET_MEANS, RUN_MEANS, means
from lab.errors import LabError

SCHEMA: Literal["fleetops.record/v2"] = "fleetops.record/v2"
SCHEMA_ID = "https://fleetops-lab.invalid/schemas/record-v2.json"
RECORD_SCHEMA = Path(__file__).with_name("record.schema.json")

Instant = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
Number = int | float  # as it was written: a count stays whole
Ratio = Annotated[float, Meta(ge=0, le=1)]
Natural = Annotated[int, Meta(ge=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Samples = list[Number | None]
Kind = Literal[
    "inject", "sli_bad", "firing", "page", "ack", "diagnosis", "action", "hint", "recovered", "resolved", "held",
    "cleanup",
]  # fmt: skip
Step = Literal["check", "mitigate", "validate"]
LogLine = dict[str, Any]  # as the process wrote it: each event has fields of its own
LOG_KEYS = ("ts", "service", "instance", "event", "trace_id")


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A JSON object with exactly these keys."""


class DrillFacts(Part, frozen=True, kw_only=True):
    """The drill, as its file names it."""

    id: Annotated[str, Meta(pattern=r"^(INC-\d{3}|D\d)$")]
    title: str
    trigger: str
    severity: Annotated[str, Meta(pattern=r"^(SEV[1-4]|none)$")]
    fault: str
    component: str


class LabFacts(Part, frozen=True, kw_only=True):
    """The lab it ran on. Lab time runs `factor` times faster than production's windows."""

    factor: Annotated[float, Meta(ge=1)]
    scrape_interval_seconds: Positive
    evaluation_interval_seconds: Positive
    group_wait_seconds: NotNegative
    cores: Annotated[int, Meta(ge=1)]
    versions: dict[str, str]


class Prediction(Part, frozen=True, kw_only=True):
    """When the alert had to fire, computed before the fault.

    `tier` is the tier of a burn-rate alert that must fire first; `bad_ratio` the ratio that the arithmetic assumes once
    the fault has its full effect, counted from `effect_seconds` after the injection; all three are null for an alert of
    another kind. `bound` says whether detection_seconds is a bound (no later than) rather than an estimate. The alert
    is in time up to detection_seconds x tolerance_ratio + allowance_seconds.
    """

    alert: str
    severity: Annotated[str, Meta(pattern=r"^(page|ticket)$")]
    detection_seconds: NotNegative
    allowance_seconds: NotNegative
    arithmetic: list[str]
    tolerance_ratio: Annotated[float, Meta(ge=1)]
    bound: bool
    tier: Annotated[str, Meta(pattern=r"^(page|ticket)\.(quick|slow)$")] | None
    bad_ratio: Ratio | None
    effect_seconds: Number | None

    @property
    def latest_seconds(self) -> float:
        """Later than this, detection is too slow."""
        return self.detection_seconds * self.tolerance_ratio + self.allowance_seconds


class Durations(Part, frozen=True, kw_only=True):
    """The figures of the incident. null: never happened."""

    detection_seconds: Annotated[Number | None, Meta(description=means("detection_seconds"))]
    page_seconds: Annotated[Number | None, Meta(description=means("page_seconds"))]
    mtta_seconds: Annotated[Number | None, Meta(description=means("mtta_seconds"))]
    diagnosis_seconds: Annotated[Number | None, Meta(description=means("diagnosis_seconds"))]
    mttm_seconds: Annotated[Number | None, Meta(description=means("mttm_seconds"))]
    mttr_seconds: Annotated[Number | None, Meta(description=means("mttr_seconds"))]
    resolved_seconds: Annotated[Number | None, Meta(description=means("resolved_seconds"))]
    run_seconds: Annotated[Number, Meta(description=RUN_MEANS)]

    def of(self, key: str) -> float | None:
        """The figure with that key."""
        value: float | None = getattr(self, key)
        return value


class Evidence(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Either the query to ask at that instant, or a JSON pointer into this record."""

    query: str | None = None
    pointer: Annotated[str, Meta(pattern=r"^(/[^/]*)+$")] | None = None


class TimelineRow(Part, frozen=True, kw_only=True):
    """Something that happened, who did it, and what shows it."""

    at: Instant
    t_seconds: Number
    kind: Kind
    title: str
    detail: str
    by: str
    evidence: Evidence | None


class AlertSpan(Part, frozen=True, kw_only=True):
    """A time in which an alert fired; `ends_at` is null while it still did at the end."""

    name: str
    severity: str
    service: str
    starts_at: Instant
    ends_at: Instant | None
    t_seconds: Number
    labels: dict[str, str]


class RunbookStep(Part, frozen=True, kw_only=True):
    """A command that the responder ran, and what came of it."""

    branch: str
    step: Step
    command: str
    exit_status: int
    output: str
    t_seconds: Number
    duration_seconds: NotNegative


class SloCounts(Part, frozen=True, kw_only=True):
    """The events of an SLO second by second, from the first scrape that a window can reach to the end.

    total[i] and bad[i] were counted between the scrape before and the one at start_seconds + i * step_seconds after the
    injection; null where there was no scrape, and what came then is counted at the next. total_events and bad_events
    are their sums. From them every ratio, tier and figure of the budget can be computed again.
    """

    start_seconds: Annotated[float, Meta(lt=0)]
    step_seconds: Literal[1]
    total_events: NotNegative
    bad_events: Number
    total: Annotated[Samples, Meta(min_length=1)]
    bad: Annotated[Samples, Meta(min_length=1)]


class SignalSamples(Part, frozen=True, kw_only=True):
    """One signal: values[i] is the sample at start_seconds + i * step_seconds; null where there was none."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str
    query: str
    unit: str
    objective: Number | None
    start_seconds: Number
    step_seconds: Positive
    values: Samples


class Users(Part, frozen=True, kw_only=True):
    """From the gateway's log: users who asked the service at stake, and those with an answer that its SLO calls bad."""

    asked: Natural
    hit: Natural


class SloBudget(Part, frozen=True, kw_only=True):
    """What an incident cost an SLO, from the injection to the end of the run."""

    objective_ratio: Number
    total_events: Natural
    bad_events: Natural
    bad_ratio: Ratio
    budget_spent_ratio: Annotated[float, Meta(ge=0, description=BUDGET_MEANS)]


class ScoreLine(Part, frozen=True, kw_only=False):
    """Points of at most `most` for one part of being on call."""

    name: str
    points: Number
    most: Number
    detail: str


class ScoredDiagnosis(Part, frozen=True, kw_only=True):
    """What the responder locked in, and the part of it that was right."""

    components: Annotated[list[str], Meta(min_length=1)]
    trigger: str
    score: Ratio


class Score(Part, frozen=True, kw_only=True):
    """Of a responder that may be a person: points, beside the durations of the autopilot's committed record."""

    points: Annotated[float, Meta(ge=0, le=100)]
    lines: list[ScoreLine]
    diagnosis: ScoredDiagnosis | None
    hints: Natural
    harmful_actions: list[str]
    false_pages: list[str]
    autopilot: Durations | None


def outcome(*, passed: bool, void: bool) -> str:
    """A verdict in a word: pass, fail, or void."""
    return "void" if void else "pass" if passed else "fail"


class Check(Part, frozen=True, kw_only=False):
    """Something that had to be true, whether it was, and the figures."""

    name: str
    passed: bool
    detail: str


class Verdict(Part, frozen=True, kw_only=True):
    """Whether the drill passed. `void`: the machine was too busy, so the run says nothing of the lab."""

    passed: bool
    void: bool
    why: str
    checks: Annotated[list[Check], Meta(min_length=1)]

    @property
    def outcome(self) -> str:
        """In a word: pass, fail, or void."""
        return outcome(passed=self.passed, void=self.void)


class Record(Part, frozen=True, kw_only=True):
    """The evidence of one drill.

    Instants are UTC (RFC 3339); *_seconds are seconds, t_seconds counts from the injection of the fault; ratios run
    from 0 to 1. Lab time runs `lab.factor` times faster than production's windows.
    """

    schema: Literal["fleetops.record/v2"]
    drill: DrillFacts
    lab: LabFacts
    responder: Annotated[str, Meta(pattern=r"^(autopilot|human|none|wrong|command|peek)$")]
    started_at: Annotated[Instant, Meta(description="When the run began, its wait for the steady state included.")]
    t0: Annotated[
        Instant,
        Meta(description="The injection of the fault: time zero of every t_seconds, start_seconds and duration."),
    ]
    ended_at: Instant
    inputs: Annotated[
        dict[str, Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]],
        Meta(
            min_length=1,
            description="Content hashes by path, or path#anchor for a section of a page. A record is stale when one no"
            " longer matches.",
        ),
    ]
    prediction: Annotated[Prediction | None, Meta(description="null in a control.")]
    durations: Durations
    timeline: list[TimelineRow]
    alerts: list[AlertSpan]
    pages: Annotated[list[Page], Meta(description="As the pager's API gives them at the end of the run.")]
    actions: list[AuditRow]
    runbook: Annotated[list[RunbookStep], Meta(description="Every command the responder ran, in order.")]
    counts: Annotated[dict[str, SloCounts], Meta(min_length=1, description="By SLO.")]
    signals: list[SignalSamples]
    logs: Annotated[
        list[LogLine], Meta(description="The lines, across services, of one slow request and of one that was not.")
    ]
    users: Annotated[Users | None, Meta(description="null where no SLO is at stake.")]
    budget: Annotated[dict[str, SloBudget], Meta(description="By SLO, from the injection to the end of the run.")]
    verdict: Verdict
    score: Score | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        for index, line in enumerate(self.logs):
            if missing := [key for key in LOG_KEYS if key not in line]:
                raise ValueError(f"logs/{index} has no {missing[0]!r}")


def parse(document: Any) -> Record:
    """Decoded JSON as a record. LabError names the first key at which it is not one."""
    version = document.get("schema") if isinstance(document, dict) else None
    if version != SCHEMA:
        raise LabError(f"/schema: is {version!r:.80}, this lab reads {SCHEMA!r}; record the drill again")
    try:
        return msgspec.convert(document, Record)
    except msgspec.ValidationError as error:
        why, _, place = str(error).partition(" - at ")
        raise LabError(f"{_pointer(document, place)}: {why} (not a {SCHEMA} document)") from None


def _pointer(document: Any, place: str) -> str:
    """A place as msgspec names it, such as `$.timeline[3].at`, as a JSON pointer: /timeline/3/at.

    msgspec writes `[...]` for a key of an object; the key is the first that is refused by itself.
    """
    steps = re.findall(r"\w+|\.\.\.", place.removeprefix("`$"))
    node = document = copy.deepcopy(document)
    for number, step in enumerate(steps):
        if step == "...":
            steps[number] = step = _refused_key(document, node)
        node = node[int(step)] if isinstance(node, list) else node.get(step)
    return "/" + "/".join(steps)


def _refused_key(document: Any, node: dict[str, Any]) -> str:
    entries = dict(node)
    for key, value in entries.items():
        node.clear()
        node[key] = value
        try:
            msgspec.convert(document, Record)
        except msgspec.ValidationError:
            node.update(entries)
            return key
    raise AssertionError("a key was refused beside others and by itself it is not")


def json_schema() -> str:
    """The published schema, as it stands in record.schema.json."""
    schema = msgspec.json.schema(Record)
    about = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Record of an incident",
    }
    return json.dumps({**about, **schema}, indent=1) + "\n"


if __name__ == "__main__":
    RECORD_SCHEMA.write_text(json_schema(), encoding="utf-8")
