"""Scenarios that every SLO is tested with, and the instants at which each alert must fire, stay silent and resolve.

All SLOs of a service share a scenario: its burn rates are multiples of each SLO's own budget, so that all of them cross
their thresholds at the same instants.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.slo.burn_rate import FOREVER, Interval, alert_intervals
from lab.slo.model import PAGE, SEVERITIES, Slo, Tier, Windows
from lab.slo.prove.workload import Phase
from lab.slo.rendering.budget import interval_seconds

Burn = tuple[int, float]  # seconds, burn rate (multiple of the budget ratio)


@dataclass(frozen=True)
class Cadence:
    """The scrape and evaluation intervals of a chapter of proofs. Longer windows use longer steps."""

    name: str
    step_seconds: int
    evaluation_seconds: int

    @property
    def before_seconds(self) -> int:
        """How many seconds before a predicted instant its effect must not be visible yet.

        Prometheus 3 excludes the sample on a window's far edge and may therefore be one step earlier than 2.x.
        """
        return self.step_seconds + self.evaluation_seconds

    def next_evaluation(self, at_seconds: int) -> int:
        """The first evaluation at or after an instant."""
        return -(-at_seconds // self.evaluation_seconds) * self.evaluation_seconds

    @property
    def allowance_seconds(self) -> int:
        """The pipeline's own delay: one scrape and two evaluations."""
        return self.step_seconds + 2 * self.evaluation_seconds


@dataclass(frozen=True)
class Scenario:
    """Phases of traffic and the intervals in which each alert must fire."""

    title: str
    cadence: Cadence
    phases: tuple[Phase, ...]
    fires: dict[tuple[str, str], list[Interval]]  # (sloth_id, severity) to the intervals in which the alert fires
    until_seconds: int
    without_errors: bool = False


def cadences(windows: Windows) -> dict[str, Cadence]:
    """The cadence of each chapter."""
    scrape, shortest = windows.scrape_interval_seconds, windows.shortest_seconds
    fine, coarse = max(scrape, shortest // 10), max(scrape, shortest // 2)
    return {
        "quick": Cadence("quick", fine, max(scrape, shortest // 5)),
        "guards": Cadence("guards", fine, max(2 * scrape, 2 * shortest // 5)),
        "slow": Cadence("slow", coarse, 2 * coarse),
        "ticket": Cadence("ticket", coarse, 12 * coarse),
        # Same interval as the budget's own rules, because they count their samples.
        "text": Cadence("text", coarse, interval_seconds(windows)),
    }


def scenarios(slos: Sequence[Slo], windows: Windows) -> Iterator[Scenario]:
    """Every scenario of one service, quickest first."""
    factory = _ScenarioFactory(slos, windows)
    yield from factory.page_quick()
    yield from factory.page_slow()
    yield from factory.tickets()


class _ScenarioFactory:
    """Builds scenarios for one service's SLOs and one set of windows."""

    def __init__(self, slos: Sequence[Slo], windows: Windows) -> None:
        self.slos, self.windows, self.cadence = slos, windows, cadences(windows)
        self.quick, self.slow = windows.of(PAGE)
        self.ticket_quick, self.ticket_slow = windows.of("ticket")
        # The highest burn rate that the SLO with the largest budget can reach: slightly less than all requests bad.
        self.highest = 0.98 / max(slo.budget_ratio for slo in slos)

    def page_quick(self) -> Iterator[Scenario]:
        fast = min(1.25 * self.quick.factor, self.highest)
        fires_after = self._grid("quick", self.quick.long_seconds * self.quick.factor / fast)
        hold = max(fires_after // 4, 4 * self.cadence["quick"].allowance_seconds)
        warm = self.quick.long_seconds
        after = self._after("quick", self.slow.short_seconds)
        yield self._burn("a fast burn pages by the fast-burn tier, and the page resolves", "quick",
                         [(warm, 0), (fires_after + hold, fast), (after, 0)])  # fmt: skip
        # 400 requests in the window: few enough that a floor that is too high would suppress the page.
        yield self._burn("a cold start with little traffic pages when a warm one does", "quick",
                         [(fires_after + hold, fast)], per_second=400 / self.quick.long_seconds)  # fmt: skip
        blip = self._grid("quick", 0.9 * fires_after)
        yield self._burn("a blip that ends before the boundary never pages", "quick",
                         [(blip, fast), (self.quick.long_seconds // 2, 0)])  # fmt: skip

    def page_slow(self) -> Iterator[Scenario]:
        under_quick, over = 0.98 * self.quick.factor, 1.25 * self.slow.factor
        for title, rate, warm in (
            ("just under the fast-burn tier, the slow-burn tier pages", under_quick, self.slow.long_seconds),
            ("a slow burn pages by the slow-burn tier, cold as well, and the page resolves", over, 0),
        ):
            fires_after = self._grid("slow", self.slow.long_seconds * self.slow.factor / rate)
            end = self._after("slow", self.slow.short_seconds)
            burns = [(fires_after + end, rate), (end, 0)]
            yield self._burn(title, "slow", [(warm, 0), *burns] if warm else burns)

    def tickets(self) -> Iterator[Scenario]:
        tier, cadence = self.ticket_slow, "ticket"
        warm = self._grid(cadence, tier.long_seconds)
        over = (tier.factor + min(self.ticket_quick.factor, self.slow.factor)) / 2
        if over <= 1.05 * tier.factor:
            over = 1.25 * tier.factor
        fires_after = self._grid(cadence, tier.long_seconds * tier.factor / over)
        held = self._grid(cadence, 3 * self.cadence[cadence].allowance_seconds)
        reset = self._after(cadence, tier.short_seconds * (1 - tier.factor / over))
        yield self._burn("a burn too slow for a page makes a ticket, and the ticket resolves", cadence,
                         [(fires_after + held, over), (reset, 0)])  # fmt: skip
        # Full windows just below the threshold must not alert for longer than any window; slightly more must alert.
        under = 0.95 * tier.factor
        more = self._grid(cadence, tier.long_seconds * (tier.factor - under) / (over - under))
        longer = self._grid(cadence, 1.05 * warm)
        yield self._burn("just below every threshold no alert ever fires; just above, it fires soon", cadence,
                         [(longer, under), (more + held, over), (reset, 0)])  # fmt: skip
        under_page = 0.97 * self.slow.factor
        long_enough = self._grid(
            cadence, max(1.5 * self.slow.long_seconds, 1.2 * tier.long_seconds * tier.factor / under_page)
        )
        yield self._burn("just under the page, a ticket", cadence, [(long_enough, under_page)])

    def _burn(
        self, title: str, cadence: str, burns: Sequence[Burn], *, per_second: float = Phase.per_second
    ) -> Scenario:
        phases = tuple(
            Phase(seconds, {slo.sloth_id: rate * slo.budget_ratio for slo in self.slos} if rate else {}, per_second)
            for seconds, rate in burns
        )
        fires = {
            (slo.sloth_id, severity): self._intervals(slo, self.windows.of(severity), burns)
            for slo in self.slos
            for severity in SEVERITIES
            if slo.enabled(severity)
        }
        return Scenario(title, self.cadence[cadence], phases, fires, sum(seconds for seconds, _ in burns))

    @staticmethod
    def _intervals(slo: Slo, tiers: Sequence[Tier], burns: Sequence[Burn]) -> list[Interval]:
        return alert_intervals(tiers, slo.budget_ratio, [(seconds, rate * slo.budget_ratio) for seconds, rate in burns])

    def _grid(self, cadence: str, seconds: float) -> int:
        """Seconds rounded to a multiple of the evaluation interval."""
        return round(seconds / self.cadence[cadence].evaluation_seconds) * self.cadence[cadence].evaluation_seconds

    def _after(self, cadence: str, seconds: float) -> int:
        """A duration longer than `seconds` by more than the allowance."""
        return self._grid(cadence, seconds + 3 * self.cadence[cadence].allowance_seconds)


def instants(scenario: Scenario) -> list[int]:
    """The evaluations to check: just before and just after each predicted edge, and the end."""
    cadence, evaluations = scenario.cadence, {scenario.until_seconds}
    for intervals in scenario.fires.values():
        for edge in (edge for interval in intervals for edge in interval if edge < FOREVER):
            evaluations.add(int(_floor(edge - cadence.before_seconds, cadence.evaluation_seconds)))
            evaluations.add(int(_floor(edge + cadence.allowance_seconds, cadence.evaluation_seconds)))
    return sorted(at for at in evaluations if 0 <= at <= scenario.until_seconds)


def firing_at(intervals: Sequence[Interval], at: float, cadence: Cadence) -> bool | None:
    """Whether an alert must fire at an instant; None so close to an edge that the pipeline's delay decides."""
    for interval in intervals:
        for edge in interval:
            if (
                edge - cadence.before_seconds
                < at
                < _floor(edge + cadence.allowance_seconds, cadence.evaluation_seconds)
            ):
                return None
        if interval[0] <= at <= interval[1]:
            return True
    return False


def _floor(seconds: float, step: int) -> float:
    return seconds if seconds == FOREVER else int(seconds // step) * step
