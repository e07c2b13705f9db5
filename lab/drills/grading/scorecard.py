"""The score of a responder who may be a person: points for what counts on call, and why. Numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lab.drills.schema.grades import ScoreLine

# Who stands next to whom in the system: a diagnosis one hop off has found the right neighbourhood.
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
# An ack within this is as good as one at once; one after ten times this is worth nothing.
PROMPT_ACK_SECONDS = 30.0
# Mitigation in the time of the autopilot is worth everything, in ten times that nothing.
SLOWEST_RATIO = 10.0
# A symptom that follows an action within this was caused by it, as far as anybody can tell.
HARM_SECONDS = 10


@dataclass(frozen=True)
class Diagnosis:
    """What was locked in: one component, or several when the responder hedged, and one trigger class."""

    components: tuple[str, ...]
    trigger: str


@dataclass(frozen=True)
class Work:
    """What the responder did. Seconds count from the page; None: never."""

    ack_seconds: float | None
    mitigation_seconds: float | None
    recovered: bool
    diagnosis_score: float | None
    hints: int
    harmful: tuple[str, ...]


def diagnosis_score(said: Diagnosis, component: str, trigger: str) -> float:
    """1 for the exact component and trigger class, 1/n when n components were named, half for one hop off.

    The right place with the wrong trigger class is worth half.
    """
    named = set(said.components)
    if component in named:
        place = 1.0
    elif any((one, component) in NEIGHBOURS for one in named):
        place = 0.5
    else:
        return 0.0
    return place / len(named) * (1.0 if said.trigger == trigger else 0.5)


@dataclass(frozen=True)
class Sli:
    """An SLI over an incident."""

    values: Sequence[float | None]  # bad ratio at every second
    start_seconds: float  # the instant of the first
    good: float  # the most that its objective allows
    paging: float  # from here on it burns as fast as pages a person


def harmful(actions: Sequence[tuple[float, str]], slis: Iterable[Sli]) -> tuple[str, ...]:
    """The actions (instant, what) after which an SLI that had been good turned bad enough for a page.

    Good: for HARM_SECONDS, or ever since the fault. One that was bad before the action blames nobody: the fault did
    that. Nor does one that leaves its objective for a moment, as a single slow request makes it.
    """
    blamed = set()
    for sli in slis:
        at = [(sli.start_seconds + n, value) for n, value in enumerate(sli.values) if value is not None]
        for turned in _turns(at, sli.good):
            before = [second for second, _ in actions if second <= turned <= second + HARM_SECONDS]
            if not before:
                continue
            after = (value for second, value in at if turned <= second <= max(before) + HARM_SECONDS)
            if any(value > sli.paging for value in after):
                blamed.add(max(before))
    return tuple(what for at, what in actions if at in blamed)


def _turns(at: Sequence[tuple[float, float]], good: float) -> Iterator[float]:
    """The instants, from the fault on, at which an SLI turned bad after it had been good. One sample a second."""
    good_samples = HARM_SECONDS
    for second, value in at:
        if second < 0:
            continue
        if value <= good:
            good_samples += 1
            continue
        if good_samples >= HARM_SECONDS:
            yield second
        good_samples = 0


def card(work: Work, autopilot_mitigation_seconds: float | None) -> list[ScoreLine]:
    """The lines of the score card; `total` adds them up."""
    found = work.diagnosis_score
    return [
        ScoreLine(
            "recovery",
            RECOVERY_POINTS if work.recovered else 0,
            RECOVERY_POINTS,
            "good again, and it held" if work.recovered else "not good at the end",
        ),
        ScoreLine(
            "diagnosis",
            round(DIAGNOSIS_POINTS * (found or 0), 1),
            DIAGNOSIS_POINTS,
            "none was locked in" if found is None else f"{found:g} of 1",
        ),
        ScoreLine("acknowledgement", _ack(work.ack_seconds), ACK_POINTS, _after(work.ack_seconds)),
        ScoreLine(
            "speed",
            _speed(work, autopilot_mitigation_seconds),
            SPEED_POINTS,
            _beside(work.mitigation_seconds, autopilot_mitigation_seconds),
        ),
        ScoreLine("hints", -HINT_POINTS * work.hints, 0, f"{work.hints} bought"),
        ScoreLine(
            "harm", -HARM_POINTS * len(work.harmful), 0, ", ".join(work.harmful) or "no action made anything worse"
        ),
    ]


def total(lines: Iterable[ScoreLine]) -> float:
    """The sum of the points, never below 0."""
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
        return SPEED_POINTS  # nothing to compare with: nobody is to blame for that
    ratio = work.mitigation_seconds / autopilot
    return round(SPEED_POINTS * min(1.0, max(0.0, (SLOWEST_RATIO - ratio) / (SLOWEST_RATIO - 1))), 1)


def _after(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s after the page"


def _beside(seconds: float | None, autopilot: float | None) -> str:
    own = "no mitigation" if seconds is None else f"mitigated {seconds:.1f} s after the page"
    return f"{own}; autopilot {autopilot:.1f} s" if autopilot else own
