"""The score of a person or program as the responder: points for each part of the response. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lab.drills.schema.grades import ScoreLine

# Adjacent components: a diagnosis that is one hop off scores half.
_HOPS = (
    ("clients", "gateway"), ("gateway", "feed"), ("gateway", "feed-canary"), ("gateway", "user"),
    ("gateway", "network"), ("feed", "feed-canary"), ("feed", "user"), ("feed", "cache"), ("feed", "db"),
    ("feed", "network"),
    ("feed", "pipeline"), ("feed-canary", "db"), ("user", "cache"), ("user", "db"), ("user", "network"),
    ("db", "network"), ("db", "pipeline"),
)  # fmt: skip
NEIGHBOURS = frozenset(_HOPS) | frozenset((b, a) for a, b in _HOPS)

RECOVERY_POINTS, DIAGNOSIS_POINTS, ACK_POINTS, SPEED_POINTS = 40, 30, 10, 20
HINT_POINTS, HARM_POINTS = 10, 15
# What a diagnosis keeps of its score if its component is adjacent to the broken one, or its trigger class is wrong.
ADJACENT_SHARE, WRONG_TRIGGER_SHARE = 0.5, 0.5
# An ack within this time scores full points; one after ten times this time scores none.
PROMPT_ACK_SECONDS = 30.0
# Mitigation as fast as the autopilot's scores full points; ten times as slow scores none.
SLOWEST_RATIO = 10.0
# A symptom within this time after an action is attributed to it.
HARM_SECONDS = 10


@dataclass(frozen=True)
class Diagnosis:
    """A locked-in diagnosis: one component, or several if the responder hedged, and one trigger class."""

    components: tuple[str, ...]
    trigger: str


@dataclass(frozen=True)
class Work:
    """The graded work of the responder. Seconds count from the page; None: never. `harmful` names actions."""

    ack_seconds: float | None
    mitigation_seconds: float | None
    recovered: bool
    diagnosis_score: float | None
    hints: int
    harmful: tuple[str, ...]


def diagnosis_score(diagnosis: Diagnosis, component: str, trigger: str) -> float:
    """The score of a diagnosis, from 0 to 1.

    1 for the exact component and trigger class, divided by the number of components named; half for an adjacent
    component, and half for the wrong trigger class.
    """
    named = set(diagnosis.components)
    if component in named:
        place = 1.0
    elif any((name, component) in NEIGHBOURS for name in named):
        place = ADJACENT_SHARE
    else:
        return 0.0
    return place / len(named) * (1.0 if diagnosis.trigger == trigger else WRONG_TRIGGER_SHARE)


def diagnosis_points(score: float | None) -> float:
    """The points for a diagnosis with that score; None: none was locked in."""
    return round(DIAGNOSIS_POINTS * (score or 0), 1)


@dataclass(frozen=True)
class Sli:
    """An SLI over an incident."""

    values: Sequence[float | None]  # bad ratio at every second
    start_seconds: float  # time of the first value, after the injection
    good: float  # largest ratio within the objective
    paging: float  # ratio above which the burn rate pages


def harmful(actions: Sequence[tuple[float, str]], slis: Iterable[Sli]) -> tuple[str, ...]:
    """The actions, each (seconds after the injection, description), after which a good SLI turned bad enough to page.

    An SLI counts as good after HARM_SECONDS of good values, or if it was good ever since the injection. One that was
    bad before the action does not count, because the fault caused that. Neither does a brief miss of the objective
    below the paging burn rate, such as one slow request.
    """
    blamed = set()
    for sli in slis:
        samples = [(sli.start_seconds + n, value) for n, value in enumerate(sli.values) if value is not None]
        for turned in _turns(samples, sli.good):
            before = [second for second, _ in actions if second <= turned <= second + HARM_SECONDS]
            if not before:
                continue
            after = (value for second, value in samples if turned <= second <= max(before) + HARM_SECONDS)
            if any(value > sli.paging for value in after):
                blamed.add(max(before))
    return tuple(description for at, description in actions if at in blamed)


def _turns(samples: Sequence[tuple[float, float]], good: float) -> Iterator[float]:
    """The times, from the injection on, at which an SLI turned bad after it had been good. One sample a second."""
    good_samples = HARM_SECONDS
    for second, value in samples:
        if second < 0:
            continue
        if value <= good:
            good_samples += 1
            continue
        if good_samples >= HARM_SECONDS:
            yield second
        good_samples = 0


def card(work: Work, autopilot_mitigation_seconds: float | None) -> list[ScoreLine]:
    """The lines of the scorecard, which `total` adds up. Speed is compared with the autopilot's, if it is known."""
    score = work.diagnosis_score
    return [
        ScoreLine(
            "recovery",
            RECOVERY_POINTS if work.recovered else 0,
            RECOVERY_POINTS,
            "recovered, and held" if work.recovered else "not recovered at the end",
        ),
        ScoreLine(
            "diagnosis",
            diagnosis_points(score),
            DIAGNOSIS_POINTS,
            "none was locked in" if score is None else f"{score:g} of 1",
        ),
        ScoreLine("acknowledgement", _ack(work.ack_seconds), ACK_POINTS, _after(work.ack_seconds)),
        ScoreLine(
            "speed",
            _speed(work, autopilot_mitigation_seconds),
            SPEED_POINTS,
            _beside(work.mitigation_seconds, autopilot_mitigation_seconds),
        ),
        ScoreLine("hints", -HINT_POINTS * work.hints, 0, f"{work.hints} bought"),
        ScoreLine("harm", -HARM_POINTS * len(work.harmful), 0, ", ".join(work.harmful) or "no harmful action"),
    ]


def total(lines: Iterable[ScoreLine]) -> float:
    """The sum of the points, at least 0."""
    return max(0.0, round(sum(line.points for line in lines), 1))


def _ack(seconds: float | None) -> float:
    if seconds is None:
        return 0
    late = max(0.0, seconds - PROMPT_ACK_SECONDS) / (9 * PROMPT_ACK_SECONDS)
    return round(ACK_POINTS * max(0.0, 1 - late), 1)


def _speed(work: Work, autopilot: float | None) -> float:
    if not work.recovered or work.mitigation_seconds is None:
        return 0
    if not autopilot:
        return SPEED_POINTS  # no autopilot to compare with
    ratio = work.mitigation_seconds / autopilot
    return round(SPEED_POINTS * min(1.0, max(0.0, (SLOWEST_RATIO - ratio) / (SLOWEST_RATIO - 1))), 1)


def _after(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s after the page"


def _beside(seconds: float | None, autopilot: float | None) -> str:
    own = "no mitigation" if seconds is None else f"mitigated {seconds:.1f} s after the page"
    return f"{own}; autopilot {autopilot:.1f} s" if autopilot else own
