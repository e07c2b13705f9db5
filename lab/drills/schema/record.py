"""The record of an incident as frozen types, which validate every record that is read or written.

The published JSON schema (record.schema.json) is generated from these types: `python -m lab.drills.schema.record`.
Durations and `t_seconds` are seconds, `t_seconds` since the injection of the fault; ratios run from 0 to 1; timestamps
are UTC (RFC 3339). A duration is None if it never happened.
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
from lab.drills.schema.grades import Score, Verdict
from lab.drills.schema.measurements import Durations, SignalSamples, SloBudget, SloCounts, Users
from lab.drills.schema.parts import Instant, NotNegative, Number, Part, Positive, Ratio
from lab.errors import LabError
from lab.tracing.documents import Trace

SCHEMA: Literal["fleetops.record/v2"] = "fleetops.record/v2"
SCHEMA_ID = "https://fleetops-lab.invalid/schemas/record-v2.json"
RECORD_SCHEMA = Path(__file__).with_name("record.schema.json")
Kind = Literal[
    "inject", "sli_bad", "firing", "page", "ack", "diagnosis", "action", "hint", "recovered", "resolved", "held",
    "cleanup",
]  # fmt: skip
Step = Literal["check", "mitigate", "validate"]
TELLING: Literal["telling"] = "telling"
WORST: Literal["worst"] = "worst"
NORMAL: Literal["normal"] = "normal"
Role = Literal["telling", "worst", "normal"]
LogLine = dict[str, Any]  # as the process wrote it: every event has its own fields
LOG_KEYS = ("ts", "service", "instance", "event", "trace_id")


class DrillFacts(Part, frozen=True, kw_only=True):
    """The drill, as its file describes it."""

    id: Annotated[str, Meta(pattern=r"^(INC-\d{3}|D\d)$")]
    title: str
    trigger: str
    severity: Annotated[str, Meta(pattern=r"^(SEV[1-4]|none)$")]
    fault: str
    component: str


class LabFacts(Part, frozen=True, kw_only=True):
    """The lab that the drill ran on. Lab time runs `factor` times faster than production's windows."""

    factor: Annotated[float, Meta(ge=1)]
    scrape_interval_seconds: Positive
    evaluation_interval_seconds: Positive
    group_wait_seconds: NotNegative
    cores: Annotated[int, Meta(ge=1)]
    versions: dict[str, str]


class Prediction(Part, frozen=True, kw_only=True):
    """When the alert must fire, computed before the fault is injected.

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
        """The latest detection that is in time, in seconds after the injection."""
        return self.detection_seconds * self.tolerance_ratio + self.allowance_seconds


class Evidence(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Either the PromQL query to evaluate at that timestamp, or a JSON pointer into this record."""

    query: str | None = None
    pointer: Annotated[str, Meta(pattern=r"^(/[^/]*)+$")] | None = None


class TimelineRow(Part, frozen=True, kw_only=True):
    """One event of the incident, who caused it, and its evidence."""

    at: Instant
    t_seconds: Number
    kind: Kind
    title: str
    detail: str
    by: str
    evidence: Evidence | None


class AlertSpan(Part, frozen=True, kw_only=True):
    """A period in which an alert fired; `ends_at` is null if it still fired at the end."""

    name: str
    severity: str
    service: str
    starts_at: Instant
    ends_at: Instant | None
    t_seconds: Number
    labels: dict[str, str]


class RunbookStep(Part, frozen=True, kw_only=True):
    """A command that the responder ran, and its result."""

    branch: str
    step: Step
    command: str
    exit_status: int
    output: str
    t_seconds: Number
    duration_seconds: NotNegative


class ExemplaryTrace(Part, frozen=True, kw_only=True):
    """A trace with its role: of a telling bad request, of the worst one, or of a normal one before the fault."""

    role: Role
    trace: Trace


class Record(Part, frozen=True, kw_only=True):
    """The evidence of one drill.

    Timestamps are UTC (RFC 3339); *_seconds are seconds, t_seconds counts from the injection of the fault; ratios run
    from 0 to 1. Lab time runs `lab.factor` times faster than production's windows.
    """

    schema: Literal["fleetops.record/v2"]
    drill: DrillFacts
    lab: LabFacts
    responder: Annotated[str, Meta(pattern=r"^(autopilot|human|none|wrong|command|peek)$")]
    started_at: Annotated[Instant, Meta(description="The start of the run, before its wait for the steady state.")]
    t0: Annotated[
        Instant,
        Meta(description="The injection of the fault: time zero of every t_seconds, start_seconds and duration."),
    ]
    ended_at: Instant
    inputs: Annotated[
        dict[str, Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]],
        Meta(
            min_length=1,
            description="Content hashes by path, or path#anchor for a section of a page. A record is stale as soon as"
            " one no longer matches.",
        ),
    ]
    prediction: Annotated[Prediction | None, Meta(description="null in a control.")]
    durations: Durations
    timeline: list[TimelineRow]
    alerts: list[AlertSpan]
    pages: Annotated[list[Page], Meta(description="As the pager's API returns them at the end of the run.")]
    actions: list[AuditRow]
    runbook: Annotated[list[RunbookStep], Meta(description="Every command the responder ran, in order.")]
    counts: Annotated[dict[str, SloCounts], Meta(min_length=1, description="By SLO.")]
    signals: list[SignalSamples]
    logs: Annotated[
        list[LogLine], Meta(description="The lines, across services, of one slow request and one fast request.")
    ]
    users: Annotated[Users | None, Meta(description="null where no SLO is at stake.")]
    budget: Annotated[dict[str, SloBudget], Meta(description="By SLO, from the injection to the end of the run.")]
    verdict: Verdict
    score: Score | msgspec.UnsetType = msgspec.UNSET
    traces: Annotated[
        list[ExemplaryTrace] | msgspec.UnsetType,
        Meta(description="At most three, by role. Absent where the lab recorded no spans."),
    ] = msgspec.UNSET

    def __post_init__(self) -> None:
        for index, line in enumerate(self.logs):
            if missing := [key for key in LOG_KEYS if key not in line]:
                raise ValueError(f"logs/{index} has no {missing[0]!r}")


def parse(document: Any) -> Record:
    """Decoded JSON as a record. Raises LabError with the JSON pointer of the first invalid key."""
    version = document.get("schema") if isinstance(document, dict) else None
    if version != SCHEMA:
        raise LabError(f"/schema: is {version!r:.80}, this lab reads {SCHEMA!r}; record the drill again")
    try:
        return msgspec.convert(document, Record)
    except msgspec.ValidationError as error:
        why, _, place = str(error).partition(" - at ")
        raise LabError(f"{_pointer(document, place)}: {why} (not a {SCHEMA} document)") from None


def _pointer(document: Any, place: str) -> str:
    """A path in msgspec's notation, such as `$.timeline[3].at`, as a JSON pointer: /timeline/3/at.

    msgspec writes `[...]` for a key of an object; the key is the first whose value alone is refused.
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
    raise AssertionError("an object is refused although each of its values alone is accepted")


def json_schema() -> str:
    """The published schema, the content of record.schema.json."""
    schema = msgspec.json.schema(Record)
    about = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Record of an incident",
    }
    return json.dumps({**about, **schema}, indent=1) + "\n"


if __name__ == "__main__":
    RECORD_SCHEMA.write_text(json_schema(), encoding="utf-8")
