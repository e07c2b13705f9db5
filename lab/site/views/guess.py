"""The page "Guess the cause": its skeleton, with the words that a diagnosis is made of."""

from __future__ import annotations

from pathlib import Path

from lab.drills.grading import scorecard
from lab.drills.spec.drill import COMPONENTS, TRIGGERS
from lab.site.render.html import Markup
from lab.site.sources.context import POSTMORTEMS, SIMULATIONS, SiteContext
from lab.site.views.diagrams import inline

_SKELETON = Path(__file__).parent.parent / "guess.html"

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


def guess(context: SiteContext) -> Markup:
    """The empty game. Its script fills it with a recorded incident."""
    components = [_choice("checkbox", "component", name) for name in COMPONENTS if name != "none"]
    triggers = [_choice("radio", "trigger", name, TRIGGER_MEANINGS[name]) for name in TRIGGERS if name != "control"]
    return Markup(_SKELETON.read_text(encoding="utf-8").strip()).format(
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


VIEWS = (guess,)
