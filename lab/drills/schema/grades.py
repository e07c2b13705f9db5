"""The graded parts of a record: the verdict with its checks, and the score of a person or program."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from lab.drills.schema.measurements import Durations
from lab.drills.schema.parts import Natural, Number, Part, Ratio


class ScoreLine(Part, frozen=True, kw_only=False):
    """Points, at most `most`, for one part of the response."""

    name: str
    points: Number
    most: Number
    detail: str


class ScoredDiagnosis(Part, frozen=True, kw_only=True):
    """The diagnosis that the responder locked in, and its score."""

    components: Annotated[list[str], Meta(min_length=1)]
    trigger: str
    score: Ratio


class Score(Part, frozen=True, kw_only=True):
    """The score of a person or program, with the durations of the autopilot's committed record for comparison."""

    points: Annotated[float, Meta(ge=0, le=100)]
    lines: list[ScoreLine]
    diagnosis: ScoredDiagnosis | None
    hints: Natural
    harmful_actions: list[str]
    false_pages: list[str]
    autopilot: Durations | None


def outcome(*, passed: bool, void: bool) -> str:
    """A verdict in one word: pass, fail or void."""
    return "void" if void else "pass" if passed else "fail"


class Check(Part, frozen=True, kw_only=False):
    """One condition of the verdict, whether it held, and its figures."""

    name: str
    passed: bool
    detail: str


class Verdict(Part, frozen=True, kw_only=True):
    """Whether the drill passed. `void`: the machine was too busy for the run to count as evidence."""

    passed: bool
    void: bool
    why: str
    checks: Annotated[list[Check], Meta(min_length=1)]

    @property
    def outcome(self) -> str:
        """In one word: pass, fail or void."""
        return outcome(passed=self.passed, void=self.void)
