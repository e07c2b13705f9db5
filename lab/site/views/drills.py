"""Drills on pages beside the catalogue: how a person is scored, the faults there are, when a run is void."""

from __future__ import annotations

from lab import units
from lab.drills import catalogue_data
from lab.drills.grading import scorecard
from lab.drills.spec.drill import COMPONENTS, TRIGGERS
from lab.errors import LabError
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources.context import Book
from lab.stack.health import machine


def score_table(_book: Book) -> Markup:
    """What each part of the score is worth."""
    slow, prompt = f"{scorecard.SLOWEST_RATIO:g}", units.seconds(scorecard.PROMPT_ACK_SECONDS)
    rows = (
        ("recovery", f"{scorecard.RECOVERY_POINTS}", "the SLI came back and stayed, by whatever fix"),
        ("diagnosis", f"{scorecard.DIAGNOSIS_POINTS}", "component and trigger class; a part of it for less, see below"),
        ("speed", f"{scorecard.SPEED_POINTS}", f"as fast as the autopilot; nothing from {slow} times its time on"),
        ("acknowledgement", f"{scorecard.ACK_POINTS}", f"within {prompt}; nothing from {slow} times that on"),
        ("each hint", f"{units.MINUS}{scorecard.HINT_POINTS}", "bought, read or not"),
        (
            "each harmful action",
            f"{units.MINUS}{scorecard.HARM_POINTS}",
            "an SLI that was good turned bad right after it, as fast as pages",
        ),
    )
    return html.table(("For", "Points", "How"), rows, label="Score")


def diagnosis_words(_book: Book) -> Markup:
    """What a diagnosis may name."""
    rows = (
        ("components", ", ".join(name for name in COMPONENTS if name != "none")),
        ("trigger classes", ", ".join(name for name in TRIGGERS if name != "control")),
    )
    return html.table(("A diagnosis names", "one of"), rows, label="Words of a diagnosis")


def fault_table(_book: Book) -> Markup:
    """Every fault with its parameters."""
    rows = [
        (html.code(fault["kind"]), fault["about"], Markup("<br>").join(_parameter(one) for one in fault["parameters"]))
        for fault in catalogue_data.faults()
    ]
    return html.table(("Fault", "What it does", "Parameters"), rows, label="Faults")


def _parameter(one: dict[str, object]) -> Markup:
    default = "" if one["required"] else f", default {one['default']}"
    return Markup("{} {}{}. {}").format(html.code(one["name"]), one["shape"], default, one["about"])


def busy_bound(_book: Book, which: str) -> str:
    """The bounds beyond which the machine is too busy for the lab: `others`, `idle`, and the `window` they hold for."""
    shown = {
        "others": units.percent(machine.OTHERS_RATIO),
        "idle": units.percent(machine.IDLE_RATIO),
        "window": units.seconds(machine.WINDOW_SECONDS),
    }
    if which not in shown:
        raise LabError(f"no bound {which!r}; there are {', '.join(shown)}")
    return shown[which]


VIEWS = (score_table, diagnosis_words, fault_table, busy_bound)
