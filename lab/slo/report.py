"""Translates SLOs into times: the error budget in seconds, and when each alert fires and resolves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.slo.burn_rate import alert_intervals, first_detection, reachable
from lab.slo.model import SEVERITIES, Slo, Windows

BAD_RATIOS = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001)


@dataclass(frozen=True)
class Cell:
    """When one alert fires and resolves at one constant bad ratio. None means never."""

    bad_ratio: float
    severity: str
    tier: str | None  # the tier that fires first
    detection_seconds: float | None
    reset_seconds: float | None  # until the alert resolves, after the bad ratio lasted ten minutes beyond detection


@dataclass(frozen=True)
class Row:
    """The report of one SLO with one set of windows."""

    sloth_id: str
    windows: str
    time_factor: int
    objective_percent: str
    budget_seconds: float  # of a total outage, in one period
    unreachable: tuple[str, ...]  # tiers that no bad ratio can trip
    cells: tuple[Cell, ...]


def report(slos: Sequence[Slo], windows: Windows, bad_ratios: Sequence[float] = BAD_RATIOS) -> list[Row]:
    """One row per SLO, with a cell for every bad ratio and enabled severity."""
    return [
        Row(
            slo.sloth_id,
            windows.name,
            windows.time_factor,
            str(slo.objective_percent),
            slo.budget_ratio * windows.period_seconds,
            tuple(tier.name for tier in windows.tiers if not reachable(tier, slo.budget_ratio)),
            tuple(
                _cell(slo, windows, severity, bad_ratio)
                for bad_ratio in bad_ratios
                for severity in SEVERITIES
                if slo.enabled(severity)
            ),
        )
        for slo in slos
    ]


def _cell(slo: Slo, windows: Windows, severity: str, bad_ratio: float) -> Cell:
    tiers = windows.of(severity)
    detection = first_detection(tiers, slo.budget_ratio, [(1, bad_ratio)])
    if detection is None:
        return Cell(bad_ratio, severity, None, None, None)
    at, tier = detection
    end = at + 600 / windows.time_factor
    held = alert_intervals(tiers, slo.budget_ratio, [(end, bad_ratio), (1, 0.0)])[-1][1]
    return Cell(bad_ratio, severity, tier.name, at, held - end)
