"""A record as a short report for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from lab.drills.evidence.verify import Row
from lab.drills.schema.figures import FIGURES, acknowledgement
from lab.drills.schema.grades import Score
from lab.drills.schema.record import Record

VERIFIED = ("INCIDENT", "ALERT", "TIER", "PREDICTED", "COMPUTED", "MEASURED", "CLEARS", "CLEARED", "AGREES")


def verified(row: Row) -> tuple[str, ...]:
    """One alert of a verified record as a row of a table with the columns VERIFIED."""
    predicted = "-" if row.predicted is None else f"{'<= ' if row.bound else ''}{row.predicted:.1f} s"
    times = (_shown(at) for at in (row.computed, row.measured, row.computed_end, row.measured_end))
    name = row.alert if row.alert == "-" else f"{row.severity} {row.alert}"
    return (row.drill, name, row.tier or "-", predicted, *times, row.note or ("yes" if row.agrees else "NO"))


def summary(record: Record) -> Iterator[str]:
    """The lines of the report: title, durations and prediction, budget, checks, score if any, verdict."""
    drill, prediction = record.drill, record.prediction
    yield f"{drill.id} {drill.title} (responder {record.responder}, lab time {record.lab.factor:g}x)"
    for name, key, meaning in _figures(record.responder):
        value = record.durations.of(key)
        if value is None and not prediction:
            continue
        shown = "never" if value is None else f"{value:.1f} s"
        comparison = ""
        if prediction and key == "page_seconds":
            latest = prediction.latest_seconds
            comparison = f", predicted {prediction.detection_seconds:.1f} s, at the latest {latest:.1f} s"
        yield f"  {name:<16} {shown:>9}  {meaning}{comparison}"
    for slo, spent in record.budget.items():
        if spent.bad_events:
            yield (
                f"  Budget           {spent.budget_spent_ratio:>8.2%}  of {slo}'s period budget,"
                f" {spent.bad_events} of {spent.total_events} requests bad"
            )
    for check in record.verdict.checks:
        yield f"  {'pass' if check.passed else 'FAIL'}  {check.name:<20} {check.detail}"
    if record.score:
        yield from _score(record, record.score)
    verdict = record.verdict
    yield f"verdict   {verdict.outcome.upper()}{'' if verdict.passed else ': ' + verdict.why}"


def _score(record: Record, score: Score) -> Iterator[str]:
    """The scorecard: figures beside the autopilot's, then points."""
    drill, autopilot = record.drill, score.autopilot
    yield f"  solution         {drill.title} ({drill.component}, {drill.trigger})"
    yield f"  {'':<16} {'you':>9}  {'autopilot':>9}"
    for name, key, meaning in list(_figures(record.responder))[2:6]:
        reference = _shown(autopilot.of(key) if autopilot else None)
        yield f"  {name:<16} {_shown(record.durations.of(key)):>9}  {reference:>9}  {meaning}"
    if diagnosis := score.diagnosis:
        yield f"  diagnosis        {', '.join(diagnosis.components)}, {diagnosis.trigger}: {diagnosis.score:g} of 1"
    yield f"  false pages {len(score.false_pages)}, harmful actions {len(score.harmful_actions)}"
    for line in score.lines:
        most = f" of {line.most:g}" if line.most else ""
        yield f"  {line.points:>+6g}{most:<7} {line.name:<16} {line.detail}"
    yield f"score     {score.points:g} of 100"


def _figures(responder: str) -> Iterator[tuple[str, str, str]]:
    """(name, key, meaning) of every duration, in the order of the record."""
    for figure in FIGURES:
        name = acknowledgement(responder) if figure.key == "mtta_seconds" else figure.name
        yield name, figure.key, figure.short
    yield "Run", "run_seconds", "the whole run"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
