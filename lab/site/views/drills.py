"""Drills on pages, apart from the catalogue: score, diagnosis, faults, and the limits of a busy machine."""

from __future__ import annotations

from pathlib import Path

from lab import units
from lab.drills import catalogue_data
from lab.drills.grading import scorecard
from lab.drills.spec.drill import COMPONENTS, TRIGGERS
from lab.errors import LabError
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources.context import POSTMORTEMS, SIMULATIONS, SiteContext
from lab.site.views.diagrams import inline
from lab.stack.health import machine

_GUESS = Path(__file__).parent.parent / "guess.html"

# What each trigger class means, for a person who has to choose one.
TRIGGER_MEANINGS = {
    "binary push": "a new version of a program",
    "config push": "a new configuration",
    "operator": "a person or a job ran the wrong command",
    "capacity": "a limited resource is used up",
    "performance decay": "work has become more expensive",
    "DB conflict": "statements block each other",
    "complex system": "a feedback loop outlives its trigger",
    "abuse": "one client takes more than its share",
    "user behaviour": "many users act at once",
    "provider": "a dependency does not answer",
    "hardware": "a machine or a process dies",
    "exhaustion": "a quota fills up",
    "time": "something expires",
    "processing pipeline": "background work writes wrong data",
    "monitoring": "alerting itself is broken",
    "network": "the path between parts is slow or loses data",
}


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


def guess(context: SiteContext) -> Markup:
    """The empty game "Guess the cause". Its script fills it with a recorded incident."""
    components = [_choice("checkbox", "component", name) for name in COMPONENTS if name != "none"]
    triggers = [_choice("radio", "trigger", name, TRIGGER_MEANINGS[name]) for name in TRIGGERS if name != "control"]
    return Markup(_GUESS.read_text(encoding="utf-8").strip()).format(
        root=context.href("index.md"),
        postmortems=context.href(f"{POSTMORTEMS}/index.md"),
        rule=context.href(f"{SIMULATIONS}#be-the-responder"),
        map=inline(context, "map"),
        points=scorecard.DIAGNOSIS_POINTS,
        components=Markup().join(components),
        triggers=Markup().join(triggers),
    )


def _choice(kind: str, name: str, value: str, meaning: str = "") -> Markup:
    words = Markup("<b>{}</b> {}").format(value, meaning) if meaning else Markup("<b>{}</b>").format(value)
    return Markup('<label><input type="{}" name="{}" value="{}"><span>{}</span></label>').format(
        kind, name, value, words
    )


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


VIEWS = (score_table, diagnosis_words, guess, fault_table, busy_bound)
