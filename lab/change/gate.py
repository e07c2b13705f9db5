"""The gate: whether a change to a service may go ahead now, by the error-budget policy. Decisions are pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lab.change.policy import CONFIG, ROLLBACK, ROLLOUT, SCHEMA, SECURITY, Policy
from lab.clients.prometheus import Prometheus
from lab.errors import LabError
from lab.slo.catalogue import slos_of
from lab.slo.model import Slo, Tier, Windows
from lab.slo.rendering import series

Outcome = Literal["allow", "deny", "unknown"]
EXIT = {"allow": 0, "deny": 1, "unknown": 2}
ALWAYS_PASS = (ROLLBACK, SECURITY)
WORDS = {
    ROLLOUT: "rollout", CONFIG: "configuration push", SCHEMA: "schema change", ROLLBACK: "rollback",
    SECURITY: "security fix",
}  # fmt: skip


@dataclass(frozen=True)
class Budget:
    """One SLO now: the part of its budget that is left, and its burn rate in the policy's tier; None: not known.

    `burn_rate` is the lesser of the two windows of the tier, as a multiple of the rate that spends the budget in one
    period of `period_seconds`; `threshold` is the tier's.
    """

    slo: str
    remaining_ratio: float | None
    burn_rate: float | None
    threshold: float
    period_seconds: float

    @property
    def exhausted_in_seconds(self) -> float | None:
        """Seconds until nothing is left if the budget goes on burning as now; None when nothing is left.

        It is the earliest time: bad events that leave the period until then give their part of the budget back. None
        also where it would take longer than the period: by then, every bad event so far has left it.
        """
        if not self.burn_rate or self.remaining_ratio is None or not 0 < self.remaining_ratio <= self.burn_rate:
            return None
        return self.remaining_ratio * self.period_seconds / self.burn_rate

    @property
    def is_burning(self) -> bool:
        """Whether both windows are above the tier's threshold."""
        return self.burn_rate is not None and self.burn_rate > self.threshold


@dataclass(frozen=True)
class Decision:
    """Whether the change may go ahead, the state of the service ("unknown" without data), and why in a sentence."""

    outcome: Outcome
    state: str
    reason: str

    @property
    def exit_status(self) -> int:
        """0: allowed, 1: denied, 2: unknown."""
        return EXIT[self.outcome]


def decide(
    policy: Policy, change: str, budgets: list[Budget], before: str = "", override: str = "", freeze: str = ""
) -> Decision:
    """The decision on a change of kind `change`.

    `override` and `freeze`: a sentence about one that applies; "": none does. A freeze refuses with any budget.
    """
    known = [budget for budget in budgets if budget.remaining_ratio is not None]
    missing = [budget.slo for budget in budgets if budget.remaining_ratio is None] if budgets else ["any SLO"]
    reasons, refused, state = [], set[str](), "unknown"
    if burning := [budget for budget in budgets if budget.is_burning]:
        refused |= policy.burning_refuses
        hottest = max(burning, key=lambda budget: budget.burn_rate or 0.0)
        reasons.append(f"{hottest.slo} burns its budget at {hottest.burn_rate:.1f}x, above {hottest.threshold:g}x")
    if known:
        worst = min(known, key=lambda budget: budget.remaining_ratio or 0.0)
        found = policy.state(worst.remaining_ratio or 0.0, before)
        refused |= found.refuses
        state = "unknown" if missing else found.name
        reasons.append(f"{worst.slo} has {worst.remaining_ratio:.1%} of its budget left ({found.name}: {found.means})")
    if missing:
        reasons.append(f"Prometheus does not know the budget of {', '.join(missing)}")
    unsure = bool(missing) and change in policy.unknown_refuses
    reason = "; ".join(reasons)
    if change in ALWAYS_PASS:
        return Decision("allow", state, f"a {WORDS[change]} always passes; {reason}")
    denied = bool(freeze) or change in refused
    if freeze:
        reason = f"{freeze}; {reason}"
    if not denied and not unsure:
        return Decision("allow", state, reason)
    if override:
        return Decision("allow", state, f"{override}; {reason}")
    return Decision("deny" if denied else "unknown", state, reason)


def read(prometheus: Prometheus, service: str, policy: Policy, windows: Windows) -> list[Budget]:
    """The budgets of a service's SLOs. What Prometheus cannot say is None."""
    tier = windows.tier(policy.burning_tier)
    return [_budget(prometheus, slo, tier, windows.period_seconds) for slo in slos_of(service)]


def _budget(prometheus: Prometheus, slo: Slo, tier: Tier, period_seconds: float) -> Budget:
    windows = (tier.short_seconds, tier.long_seconds)
    try:
        remaining = prometheus.number(f"{series.BUDGET_REMAINING}{series.selector(slo)}")
        # A service without requests has no ratio, and burns nothing.
        bad = [prometheus.number(f"{series.error_ratio(seconds)}{series.selector(slo)}") or 0.0 for seconds in windows]
    except LabError:
        return Budget(slo.sloth_id, None, None, tier.factor, period_seconds)
    return Budget(slo.sloth_id, remaining, min(bad) / slo.budget_ratio, tier.factor, period_seconds)
