"""The score of one incident: scorecard.py applied to its record, compared with the autopilot's committed record."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lab.clients.times import epoch_seconds
from lab.drills.evidence import record
from lab.drills.evidence.milestones import change
from lab.drills.evidence.signals import sli_name
from lab.drills.grading import scorecard
from lab.drills.run import diagnosis
from lab.drills.run.incident import Incident
from lab.drills.run.responders import PROGRAMS
from lab.drills.schema.figures import PEOPLE
from lab.drills.schema.grades import Score, ScoredDiagnosis
from lab.drills.schema.measurements import Durations
from lab.drills.schema.record import Record
from lab.errors import LabError
from lab.paths import RECORDS
from lab.slo.catalogue import load_specs
from lab.slo.model import PAGE, Slo


def add_score(incident: Incident, unscored: Record) -> Record:
    """The record with a score, if its responder may be a person or is a program."""
    if incident.responder not in (*PEOPLE, *PROGRAMS):
        return unscored
    return msgspec.structs.replace(unscored, score=_score(incident, unscored))


def _score(incident: Incident, unscored: Record) -> Score:
    rows, durations = incident.actions(), unscored.durations
    answer, bought = diagnosis.diagnosis(rows), diagnosis.hints(rows)
    correct = scorecard.diagnosis_score(answer, incident.drill.component, incident.drill.trigger) if answer else None
    passed = {check.name: check.passed for check in unscored.verdict.checks}
    harmful = scorecard.harmful(_actions(incident), _slis(unscored, load_specs(), incident.windows.of(PAGE)[0].factor))
    autopilot = committed(incident.drill.id)
    lines = scorecard.card(
        scorecard.Work(
            ack_seconds=durations.mtta_seconds,
            mitigation_seconds=after_page(durations),
            recovered=bool(passed.get("held")),
            diagnosis_score=correct,
            hints=bought,
            harmful=harmful,
        ),
        after_page(autopilot) if autopilot else None,
    )
    return Score(
        points=scorecard.total(lines),
        lines=lines,
        diagnosis=ScoredDiagnosis(components=list(answer.components), trigger=answer.trigger, score=correct)
        if answer and correct is not None
        else None,
        hints=bought,
        harmful_actions=list(harmful),
        false_pages=[
            page.alertname
            for page in unscored.pages
            if page.severity == PAGE and not incident.drill.expect.allows(page.alertname, PAGE)
        ],
        autopilot=autopilot,
    )


def committed(drill_id: str) -> Durations | None:
    """The durations of the committed record of a drill; None without a readable one."""
    file = RECORDS / f"{drill_id}.json"
    try:
        return record.read(file).durations if file.exists() else None
    except LabError:
        return None


def after_page(durations: Durations) -> float | None:
    """Seconds from the page to the mitigating action; None if either never happened."""
    action, page = durations.mttm_seconds, durations.page_seconds
    return None if action is None or page is None else round(action - page, 3)


def _actions(incident: Incident) -> list[tuple[float, str]]:
    done = [row for row in incident.responder_actions() if row.outcome == "done"]
    return [(incident.since_t0(epoch_seconds(row.at)), change(row)) for row in done]


def _slis(unscored: Record, slos: Sequence[Slo], paging_factor: float) -> list[scorecard.Sli]:
    sampled = {signal.name: signal for signal in unscored.signals}
    return [
        scorecard.Sli(
            sampled[name].values,
            sampled[name].start_seconds,
            slo.budget_ratio,
            slo.budget_ratio * paging_factor,
        )
        for slo in slos
        if (name := sli_name(slo)) in sampled
    ]
