"""How each figure of an incident is computed: for records, tiles, tables, postmortems and scores.

Pure: instants in seconds from the injection of the fault in, figures out. Nothing else in the lab computes a figure;
lab/drills/schema/figures.py says what each means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.drills.schema.figures import FIGURES
from lab.drills.schema.measurements import Durations, SloBudget
from lab.slo.model import Slo
from lab.slo.replay import Counts

Instants = Mapping[str, float | None]


@dataclass(frozen=True)
class Change:
    """Something a responder changed. `what` names the setting; `old` and `new` are None where it has no state."""

    at: float
    what: str
    old: Any
    new: Any


def durations(instants: Instants, run_seconds: float) -> Durations:
    """The figures of an incident; None for what never happened."""
    found: dict[str, float | None] = {}
    for figure in FIGURES:
        end, start = instants.get(figure.end), instants.get(figure.start) if figure.start else 0.0
        found[figure.key] = None if end is None or start is None else round(end - start, 3)
    return Durations(**found, run_seconds=round(run_seconds, 3))


def mitigation(changes: Sequence[Change], recovered: float | None) -> float | None:
    """The instant of the change that completed the mitigation; None when nothing recovered or no change was left."""
    if recovered is None:
        return None
    return max((one.at for one in in_force([one for one in changes if one.at <= recovered])), default=None)


def in_force(changes: Sequence[Change]) -> list[Change]:
    """The changes, oldest first, without those that were put back and without what put them back."""
    left: list[Change] = []
    for change in sorted(changes, key=lambda one: one.at):
        undone = next(
            (one for one in left if one.what == change.what and one.old is not None and one.old == change.new), None
        )
        if undone is None:
            left.append(change)
        else:
            # What was changed of it in between is gone too.
            left = [one for one in left if one.what != change.what or one.old is None or one.at < undone.at]
    return left


def budget(counts: Counts, until: float, slo: Slo, period_seconds: float) -> SloBudget:
    """What was spent of an SLO's budget from the injection to `until`, as a record's `budget` holds it."""
    bad, total = counts.sums(0.0, until)
    return SloBudget(
        objective_ratio=slo.objective_ratio,
        total_events=round(total),
        bad_events=round(bad),
        bad_ratio=float(f"{max(0.0, bad / total) if total else 0.0:.4g}"),
        budget_spent_ratio=float(f"{_spent(counts, 0.0, until, until, slo, period_seconds):.4g}"),
    )


def budget_at_start_ratio(counts: Counts, until: float, slo: Slo, period_seconds: float) -> float:
    """The part of the budget that was left at the injection, by the same measure: 1 after a clean slate."""
    return 1.0 - _spent(counts, counts.start - counts.step, 0.0, until, slo, period_seconds)


def _spent(counts: Counts, start: float, end: float, until: float, slo: Slo, period_seconds: float) -> float:
    bad, _ = counts.sums(start, end)
    _, total = counts.sums(counts.start - counts.step, until)
    seconds = min(until, counts.at(counts.size - 1)) - counts.start + counts.step
    if total <= 0 or seconds <= 0:
        return 0.0
    return max(0.0, bad) / (slo.budget_ratio * total / seconds * period_seconds)
