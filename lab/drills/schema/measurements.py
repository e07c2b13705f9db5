"""The measured parts of a record: durations, event counts, signals, users and error budgets."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from lab.drills.schema.figures import BUDGET_MEANS, RUN_MEANS, means
from lab.drills.schema.parts import Natural, NotNegative, Number, Part, Positive, Ratio, Samples


class Durations(Part, frozen=True, kw_only=True):
    """The figures of the incident. null: it never happened."""

    detection_seconds: Annotated[Number | None, Meta(description=means("detection_seconds"))]
    page_seconds: Annotated[Number | None, Meta(description=means("page_seconds"))]
    mtta_seconds: Annotated[Number | None, Meta(description=means("mtta_seconds"))]
    diagnosis_seconds: Annotated[Number | None, Meta(description=means("diagnosis_seconds"))]
    mttm_seconds: Annotated[Number | None, Meta(description=means("mttm_seconds"))]
    mttr_seconds: Annotated[Number | None, Meta(description=means("mttr_seconds"))]
    resolved_seconds: Annotated[Number | None, Meta(description=means("resolved_seconds"))]
    run_seconds: Annotated[Number, Meta(description=RUN_MEANS)]

    def of(self, key: str) -> float | None:
        """The figure with that key, in seconds; None if it never happened."""
        value: float | None = getattr(self, key)
        return value


class SloCounts(Part, frozen=True, kw_only=True):
    """The events of an SLO second by second, from the first scrape in the longest window to the end.

    total[i] and bad[i] were counted between the previous scrape and the one at start_seconds + i * step_seconds after
    the injection; null where there was no scrape, whose events the next one counts. total_events and bad_events are
    their sums. Every ratio, tier and budget figure can be recomputed from them.
    """

    start_seconds: Annotated[float, Meta(lt=0)]
    step_seconds: Literal[1]
    total_events: NotNegative
    bad_events: Number
    total: Annotated[Samples, Meta(min_length=1)]
    bad: Annotated[Samples, Meta(min_length=1)]


class SignalSamples(Part, frozen=True, kw_only=True):
    """One signal: values[i] is the sample at start_seconds + i * step_seconds; null where there was none."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str
    query: str
    unit: str
    objective: Number | None
    start_seconds: Number
    step_seconds: Positive
    values: Samples


class Users(Part, frozen=True, kw_only=True):
    """From the gateway's log: users who sent a request to the service at stake, and those with a bad one by its SLO."""

    asked: Natural
    hit: Natural


class SloBudget(Part, frozen=True, kw_only=True):
    """The cost of an incident to an SLO, from the injection to the end of the run."""

    objective_ratio: Number
    total_events: Natural
    bad_events: Natural
    bad_ratio: Ratio
    budget_spent_ratio: Annotated[float, Meta(ge=0, description=BUDGET_MEANS)]
