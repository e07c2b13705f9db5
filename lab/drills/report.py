"""A record in a few lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

PHASES = (
    ("detection", "detection_seconds", "fault to firing alert"),
    ("page", "page_seconds", "fault to page delivered"),
    ("MTTA", "mtta_seconds", "page to ack"),
    ("diagnosis", "diagnosis_seconds", "page to diagnosis"),
    ("MTTM", "mttm_seconds", "fault to mitigating action"),
    ("MTTR", "mttr_seconds", "fault to recovered SLI"),
    ("resolved", "resolved_seconds", "fault to resolved alert"),
    ("run", "run_seconds", "the whole run"),
)


def summary(record: dict[str, Any]) -> Iterator[str]:
    """Title, durations beside the prediction, budget, checks, verdict."""
    drill, prediction = record["drill"], record["prediction"]
    yield f"{drill['id']} {drill['title']} (responder {record['responder']}, lab time {record['lab']['factor']}x)"
    for name, key, meaning in PHASES:
        value = record["durations"][key]
        if value is None and not prediction:
            continue
        shown = "never" if value is None else f"{value:.1f} s"
        beside = ""
        if prediction and name == "page":
            stretched = prediction["detection_seconds"] * prediction.get("tolerance_ratio", 1)
            latest = stretched + prediction["allowance_seconds"]
            beside = f", predicted {prediction['detection_seconds']:.1f} s, at the latest {latest:.1f} s"
        yield f"  {name:<10} {shown:>9}  {meaning}{beside}"
    for slo, spent in record["budget"].items():
        if spent["bad_events"]:
            yield (
                f"  budget     {spent['budget_spent_ratio']:>8.2%}  of {slo}'s period budget,"
                f" {spent['bad_events']} of {spent['total_events']} requests bad"
            )
    for check in record["verdict"]["checks"]:
        yield f"  {'pass' if check['passed'] else 'FAIL'}  {check['name']:<20} {check['detail']}"
    if score := record.get("score"):
        yield from _score(record, score)
    verdict = record["verdict"]
    yield f"verdict   {outcome(verdict).upper()}{'' if verdict['passed'] else ': ' + verdict['why']}"


def outcome(verdict: dict[str, Any]) -> str:
    """A record's verdict in a word: pass, fail, or void."""
    return "void" if verdict.get("void") else "pass" if verdict["passed"] else "fail"


def _score(record: dict[str, Any], score: dict[str, Any]) -> Iterator[str]:
    """The score card: figures beside the autopilot's, then points."""
    drill, autopilot = record["drill"], score["autopilot"] or {}
    yield f"  it was     {drill['title']} ({drill['component']}, {drill['trigger']})"
    yield f"  {'':<10} {'you':>9}  {'autopilot':>9}"
    for name, key, meaning in PHASES[2:6]:
        yield f"  {name:<10} {_shown(record['durations'][key]):>9}  {_shown(autopilot.get(key)):>9}  {meaning}"
    if said := score["diagnosis"]:
        yield f"  diagnosis  {', '.join(said['components'])}, {said['trigger']}: {said['score']:g} of 1"
    yield f"  false pages {len(score['false_pages'])}, harmful actions {len(score['harmful_actions'])}"
    for line in score["lines"]:
        most = f" of {line['most']:g}" if line["most"] else ""
        yield f"  {line['points']:>+6g}{most:<7} {line['name']:<16} {line['detail']}"
    yield f"score     {score['points']:g} of 100"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
