"""What each figure of an incident means, and how it is computed: for records, tiles, tables, postmortems and scores.

Pure: instants in seconds from the injection of the fault in, figures out. Nothing else in the lab defines a figure; the
record's schema and the glossary state the same texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.slo.model import Slo
from lab.slo.replay import Counts

Instants = Mapping[str, float | None]


@dataclass(frozen=True)
class Figure:
    """One figure of `durations`: the seconds from the instant `start` to the instant `end`."""

    key: str
    name: str
    end: str
    start: str  # "" is the injection of the fault
    short: str
    means: str


@dataclass(frozen=True)
class Change:
    """Something a responder changed. `what` names the setting; `old` and `new` are None where it has no state."""

    at: float
    what: str
    old: Any
    new: Any


FIGURES = (
    Figure(
        "detection_seconds",
        "Detection",
        "firing",
        "",
        "fault to firing alert",
        "From the injection of the fault to the firing alert.",
    ),
    Figure(
        "page_seconds",
        "Page",
        "page",
        "",
        "fault to delivered page",
        "From the injection of the fault to the delivered page.",
    ),
    Figure(
        "mtta_seconds",
        "MTTA",
        "ack",
        "page",
        "page to acknowledgement",
        "From the delivered page to its acknowledgement by the responder.",
    ),
    Figure(
        "diagnosis_seconds",
        "Diagnosis",
        "diagnosis",
        "page",
        "page to diagnosis",
        "From the delivered page to the diagnosis.",
    ),
    Figure(
        "mttm_seconds",
        "MTTM",
        "action",
        "",
        "fault to completed mitigation",
        "From the injection of the fault to the change that completed the mitigation: the responder's last change"
        " before the recovery that was still in force at the recovery. A change that was put back counts for nothing,"
        " and so does what put it back.",
    ),
    Figure(
        "mttr_seconds",
        "MTTR",
        "recovered",
        "",
        "fault to recovered SLIs",
        "From the injection of the fault to the recovery: every SLI of the services at stake inside its objective.",
    ),
    Figure(
        "resolved_seconds",
        "Resolved",
        "resolved",
        "",
        "fault to resolved alert",
        "From the injection of the fault to the resolved alert.",
    ),
)
RUN_MEANS = "From the start of the run, steady state included, to its end."
BUDGET_MEANS = (
    "Bad events from the injection of the fault to the end of the run, as a part of those that the"
    " objective allows in its period at the mean rate of events of the record. Each event weighs the same, whenever it"
    " came."
)
# Responders that may be a person: only of those is the time to acknowledge an MTTA.
PEOPLE = ("human", "command")


def durations(instants: Instants, run_seconds: float) -> dict[str, float | None]:
    """The figures by key; None for what never happened."""
    found: dict[str, float | None] = {}
    for figure in FIGURES:
        end, start = instants.get(figure.end), instants.get(figure.start) if figure.start else 0.0
        found[figure.key] = None if end is None or start is None else round(end - start, 3)
    return {**found, "run_seconds": round(run_seconds, 3)}


def figure(key: str) -> Figure:
    """The figure with that key."""
    return next(one for one in FIGURES if one.key == key)


def acknowledgement(responder: str) -> str:
    """What the time to acknowledge is called: MTTA is a person's, a program's reaction is named as one."""
    return figure("mtta_seconds").name if responder in PEOPLE else f"Ack by {responder}"


def mitigation(changes: Sequence[Change], recovered: float | None) -> float | None:
    """The instant of the change that completed the mitigation; None when nothing recovered or no change was left."""
    if recovered is None:
        return None
    return max((one.at for one in in_force([one for one in changes if one.at <= recovered])), default=None)


def in_force(changes: Sequence[Change]) -> list[Change]:
    """The changes, oldest first, without those that were put back and without what put them back."""
    left: list[Change] = []
    for change in sorted(changes, key=lambda one: one.at):
        undone = next(
            (one for one in left if one.what == change.what and one.old is not None and one.old == change.new), None
        )
        if undone is None:
            left.append(change)
        else:
            # What was changed of it in between is gone too.
            left = [one for one in left if one.what != change.what or one.old is None or one.at < undone.at]
    return left


def budget(counts: Counts, until: float, slo: Slo, period_seconds: float) -> dict[str, float]:
    """What was spent of an SLO's budget from the injection to `until`, as a record's `budget` holds it."""
    bad, total = counts.sums(0.0, until)
    return {
        "objective_ratio": slo.objective_ratio,
        "total_events": round(total),
        "bad_events": round(bad),
        "bad_ratio": float(f"{max(0.0, bad / total) if total else 0.0:.4g}"),
        "budget_spent_ratio": float(f"{_spent(counts, 0.0, until, until, slo, period_seconds):.4g}"),
    }


def budget_at_start_ratio(counts: Counts, until: float, slo: Slo, period_seconds: float) -> float:
    """The part of the budget that was left at the injection, by the same measure: 1 after a clean slate."""
    return 1.0 - _spent(counts, counts.start - counts.step, 0.0, until, slo, period_seconds)


def _spent(counts: Counts, start: float, end: float, until: float, slo: Slo, period_seconds: float) -> float:
    bad, _ = counts.sums(start, end)
    _, total = counts.sums(counts.start - counts.step, until)
    seconds = min(until, counts.at(counts.size - 1)) - counts.start + counts.step
    if total <= 0 or seconds <= 0:
        return 0.0
    return max(0.0, bad) / (slo.budget_ratio * total / seconds * period_seconds)
