"""The meaning of each figure of an incident, for the record's schema, the site and the glossary.

lab/drills/evidence/definitions.py computes them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One figure of `durations`: the seconds from the milestone `start` to the milestone `end`."""

    key: str
    name: str
    end: str
    start: str  # "": the injection of the fault
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
        " before the recovery that was still in effect at the recovery. A change that was reverted does not count, and"
        " neither does its revert.",
    ),
    Figure(
        "mttr_seconds",
        "MTTR",
        "recovered",
        "",
        "fault to recovery",
        "From the injection of the fault to the recovery: every SLI of the services at stake inside its objective, or,"
        " where no SLO is at stake, the condition that the drill states.",
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
    "Bad events from the injection of the fault to the end of the run, divided by those that the"
    " objective allows in its period at the mean event rate of the record. Every event has the same weight, whenever it"
    " happened."
)
# Responders that may be a person: only their time to acknowledge is an MTTA.
PEOPLE = ("human", "command")


def figure(key: str) -> Figure:
    """The figure with that key."""
    return next(figure for figure in FIGURES if figure.key == key)


def means(key: str) -> str:
    """The definition of the figure with that key, in a sentence."""
    return figure(key).means


def acknowledgement(responder: str) -> str:
    """The name of the time to acknowledge: MTTA for a person, `Ack by …` for a program."""
    return figure("mtta_seconds").name if responder in PEOPLE else f"Ack by {responder}"
