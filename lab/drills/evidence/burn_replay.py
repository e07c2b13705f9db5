"""An SLO's alert, replayed from the event counts of a record: the ratios in its tiers' windows at a given time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.drills.schema.measurements import SloCounts
from lab.errors import LabError
from lab.slo import replay
from lab.slo.durations import format_duration
from lab.slo.model import Slo, Tier, Windows
from lab.slo.replay import Counts


@dataclass(frozen=True)
class TierState:
    """One tier at one time: the bad ratios in its windows (None without events), and whether its condition holds."""

    tier: Tier
    short: float | None
    long: float | None
    holds: bool


def counts_of(counts: Mapping[str, SloCounts], sloth_id: str) -> Counts:
    """The counts of one SLO from a record's `counts`. Raises LabError with the key."""
    if sloth_id not in counts:
        raise LabError(f"/counts/{sloth_id}: is missing; record the drill again")
    row = counts[sloth_id]
    try:
        return Counts(row.total, row.bad, row.start_seconds, row.step_seconds)
    except ValueError as error:
        raise LabError(f"/counts/{sloth_id}: {error}") from None


def states(counts: Counts, slo: Slo, windows: Windows, severity: str, at: float) -> list[TierState]:
    """Every tier of one severity at the last scrape before `at` (seconds after the injection)."""
    index = max(0, min(counts.size - 1, int((at - counts.start) // counts.step)))
    tiers = []
    for tier in windows.of(severity):
        short, long = (
            replay.ratio(counts, slo, windows, seconds, index) for seconds in (tier.short_seconds, tier.long_seconds)
        )
        tiers.append(TierState(tier, short, long, replay.holds_at(counts, slo, windows, tier, index)))
    return tiers


def stated(counts: Counts, slo: Slo, windows: Windows, severity: str, at: float) -> str:
    """The tier that holds at `at`, in words: its ratios, burn rates and threshold. The first tier if none holds."""
    tiers = states(counts, slo, windows, severity, at)
    state = next((tier for tier in tiers if tier.holds), tiers[0])
    parts = [
        f"{ratio:.2%} of events bad over {format_duration(seconds)} ({ratio / slo.budget_ratio:.1f}x budget)"
        for seconds, ratio in ((state.tier.short_seconds, state.short), (state.tier.long_seconds, state.long))
        if ratio is not None
    ]
    return f"tier {state.tier.name}: {' and '.join(parts) or 'no events'}; it fires above {state.tier.factor:g}x"


def observed_ratio(counts: Counts, after: float, until: float) -> float | None:
    """The bad ratio of the events counted in (after, until]; None without events."""
    bad, total = counts.sums(after, until)
    return max(0.0, min(1.0, bad / total)) if total > 0 else None
