"""The computation of each figure of an incident, for records, pages, postmortems and scores.

Pure functions of milestones, which are seconds after the injection of the fault. No other module computes a figure;
lab/drills/schema/figures.py states their meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.drills.schema.figures import FIGURES
from lab.drills.schema.measurements import Durations, SloBudget
from lab.slo.model import Slo
from lab.slo.replay import Counts

Milestones = Mapping[str, float | None]  # seconds after the injection by name; None: it never happened


@dataclass(frozen=True)
class Change:
    """One change by a responder. `what` names the setting; `old` and `new` are None where it has no state.

    `at` is seconds after the injection.
    """

    at: float
    what: str
    old: Any
    new: Any


def durations(milestones: Milestones, run_seconds: float) -> Durations:
    """The figures of an incident from its milestones; None for a figure whose start or end never happened."""
    seconds: dict[str, float | None] = {}
    for figure in FIGURES:
        end, start = milestones.get(figure.end), milestones.get(figure.start) if figure.start else 0.0
        seconds[figure.key] = None if end is None or start is None else round(end - start, 3)
    return Durations(**seconds, run_seconds=round(run_seconds, 3))


def mitigation(changes: Sequence[Change], recovered: float | None) -> float | None:
    """The time of the change that completed the mitigation; None without a recovery, or a change in effect then."""
    if recovered is None:
        return None
    before = [change for change in changes if change.at <= recovered]
    return max((change.at for change in in_force(before)), default=None)


def in_force(changes: Sequence[Change]) -> list[Change]:
    """The changes that are still in effect, oldest first: without those that were reverted, and without the reverts."""
    kept: list[Change] = []
    for change in sorted(changes, key=lambda change: change.at):
        reverted = next(
            (
                earlier
                for earlier in kept
                if earlier.what == change.what and earlier.old is not None and earlier.old == change.new
            ),
            None,
        )
        if reverted is None:
            kept.append(change)
        else:
            # Changes of the same setting in between are reverted too.
            kept = [
                earlier
                for earlier in kept
                if earlier.what != change.what or earlier.old is None or earlier.at < reverted.at
            ]
    return kept


def budget(counts: Counts, until: float, slo: Slo, period_seconds: float) -> SloBudget:
    """The part of an SLO's budget that was spent from the injection to `until` (seconds after it)."""
    bad, total = counts.sums(0.0, until)
    return SloBudget(
        objective_ratio=slo.objective_ratio,
        total_events=round(total),
        bad_events=round(bad),
        bad_ratio=float(f"{max(0.0, bad / total) if total else 0.0:.4g}"),
        budget_spent_ratio=float(f"{_spent(counts, 0.0, until, until, slo, period_seconds):.4g}"),
    )


def budget_at_start_ratio(counts: Counts, until: float, slo: Slo, period_seconds: float) -> float:
    """The part of the budget that was left at the injection, computed in the same way: 1 after a clean slate."""
    return 1.0 - _spent(counts, counts.start - counts.step, 0.0, until, slo, period_seconds)


def _spent(counts: Counts, start: float, end: float, until: float, slo: Slo, period_seconds: float) -> float:
    bad, _ = counts.sums(start, end)
    _, total = counts.sums(counts.start - counts.step, until)
    seconds = min(until, counts.at(counts.size - 1)) - counts.start + counts.step
    if total <= 0 or seconds <= 0:
        return 0.0
    return max(0.0, bad) / (slo.budget_ratio * total / seconds * period_seconds)
