"""What each figure of an incident means, in words: for the record's schema, pages, postmortems and the glossary.

How each is computed stands in lab/drills/evidence/definitions.py.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One figure of `durations`: the seconds from the instant `start` to the instant `end`."""

    key: str
    name: str
    end: str
    start: str  # "" is the injection of the fault
    short: str
    means: str


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


def figure(key: str) -> Figure:
    """The figure with that key."""
    return next(one for one in FIGURES if one.key == key)


def means(key: str) -> str:
    """What the figure with that key means, in one sentence."""
    return figure(key).means


def acknowledgement(responder: str) -> str:
    """What the time to acknowledge is called: MTTA is a person's, a program's reaction is named as one."""
    return figure("mtta_seconds").name if responder in PEOPLE else f"Ack by {responder}"
