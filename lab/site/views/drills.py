"""Drills on pages, apart from the catalogue: the score, the faults, and the limits of a busy machine."""

from __future__ import annotations

from lab import units
from lab.drills import catalogue_data
from lab.drills.grading import scorecard
from lab.drills.spec.drill import COMPONENTS, TRIGGERS
from lab.errors import LabError
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources.context import SiteContext
from lab.stack.health import machine


def score_table(_context: SiteContext) -> Markup:
    """The parts of a person's score and their points."""
    slow, prompt = f"{scorecard.SLOWEST_RATIO:g}", units.seconds(scorecard.PROMPT_ACK_SECONDS)
    rows = (
        ("recovery", f"{scorecard.RECOVERY_POINTS}", "the SLI recovered and held, whatever the fix"),
        ("diagnosis", f"{scorecard.DIAGNOSIS_POINTS}", "component and trigger class; partial points as above"),
        ("speed", f"{scorecard.SPEED_POINTS}", f"as fast as the autopilot; no points from {slow} times its time"),
        ("acknowledgement", f"{scorecard.ACK_POINTS}", f"within {prompt}; no points from {slow} times that"),
        ("each hint", f"{units.MINUS}{scorecard.HINT_POINTS}", "bought, whether read or not"),
        (
            "each harmful action",
            f"{units.MINUS}{scorecard.HARM_POINTS}",
            "a good SLI turned bad right after it, at a burn rate that pages",
        ),
    )
    return html.table(("For", "Points", "How"), rows, label="Score")


def diagnosis_words(_context: SiteContext) -> Markup:
    """The components and trigger classes that a diagnosis may name."""
    rows = (
        ("components", ", ".join(name for name in COMPONENTS if name != "none")),
        ("trigger classes", ", ".join(name for name in TRIGGERS if name != "control")),
    )
    return html.table(("A diagnosis names", "one of"), rows, label="Diagnosis")


def fault_table(_context: SiteContext) -> Markup:
    """Every fault with its parameters."""
    rows = [
        (html.code(fault.kind), fault.about, Markup("<br>").join(map(_parameter, fault.parameters)))
        for fault in catalogue_data.faults()
    ]
    return html.table(("Fault", "What it does", "Parameters"), rows, label="Faults")


def _parameter(parameter: catalogue_data.ParameterHelp) -> Markup:
    default = "" if parameter.required else f", default {parameter.default}"
    return Markup("{} {}{}. {}").format(html.code(parameter.name), parameter.shape, default, parameter.about)


def busy_bound(_context: SiteContext, which: str) -> str:
    """A limit beyond which the machine is too busy for the lab.

    `which` is `others` (CPU share of other processes), `idle` (idle CPU share) or `window` (the time they hold for).
    """
    shown = {
        "others": units.percent(machine.OTHERS_RATIO),
        "idle": units.percent(machine.IDLE_RATIO),
        "window": units.seconds(machine.WINDOW_SECONDS),
    }
    if which not in shown:
        raise LabError(f"no bound {which!r}; it must be one of {', '.join(shown)}")
    return shown[which]


VIEWS = (score_table, diagnosis_words, fault_table, busy_bound)
