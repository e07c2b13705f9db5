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
            latest = prediction["detection_seconds"] * prediction["tolerance_ratio"] + prediction["allowance_seconds"]
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
    yield f"verdict   {'PASS' if record['verdict']['passed'] else 'FAIL: ' + record['verdict']['why']}"
