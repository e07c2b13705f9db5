"""What may be changed now, and what is being rolled out, for the console."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.change import ask
from lab.change.ask import Memory
from lab.change.gate import Budget
from lab.change.policy import REFUSABLE, Policy, read_policy
from lab.console.change_documents import ChangeState, GateState, RolloutState
from lab.console.documents import SloState
from lab.errors import LabError
from lab.paths import Home
from lab.rollout import journal, progress
from lab.slo.catalogue import services, slos_of
from lab.slo.model import Windows


@dataclass(frozen=True)
class Changes:
    """Reads the files of the gate and of the rollout in `home`; `windows` are those of the burn rates."""

    home: Home
    windows: Windows

    def state(self, slos: Sequence[SloState], now: float) -> ChangeState:
        """The state at `now` (epoch seconds), from what is known of the SLOs. Does not raise."""
        try:
            policy, memory = read_policy(), ask.load(self.home)
            gates = [self._gate(policy, memory, service, slos, now) for service in services()]
            return ChangeState(gates=gates, rollout=self._rollout())
        except LabError as error:
            return ChangeState(problem=str(error))

    def _gate(self, policy: Policy, memory: Memory, service: str, slos: Sequence[SloState], now: float) -> GateState:
        known = {slo.id: slo for slo in slos}
        budgets = [self._budget(policy, slo.sloth_id, known.get(slo.sloth_id)) for slo in slos_of(service)]
        decisions = {change: ask.decided(policy, memory, budgets, service, change, now) for change in REFUSABLE}
        refused = [change for change, decision in decisions.items() if decision.outcome != "allow"]
        shown = decisions[refused[0] if refused else REFUSABLE[0]]
        return GateState(
            service=service, state=shown.state, refuses=refused, reason=shown.reason,
            overrides=ask.shown_overrides(memory, service, now),
        )  # fmt: skip

    def _budget(self, policy: Policy, sloth_id: str, slo: SloState | None) -> Budget:
        tier = self.windows.tier(policy.burning_tier)
        number = self.windows.tiers.index(tier)
        burns = [] if slo is None else [slo.tiers[number].long_burn or 0.0, slo.tiers[number].short_burn or 0.0]
        return Budget(
            sloth_id, None if slo is None else slo.budget_remaining_ratio, min(burns, default=None), tier.factor,
            self.windows.period_seconds,
        )  # fmt: skip

    def _rollout(self) -> RolloutState | None:
        rollout = journal.load(self.home)
        if rollout is None:
            return None
        return RolloutState(
            service=rollout.service, previous=rollout.previous, version=rollout.version, phase=rollout.phase,
            step=rollout.step + 1, steps=len(rollout.policy.steps_percent), weight_percent=rollout.wanted_percent,
            reason=rollout.reason, frozen=rollout.frozen, progress=progress.load(self.home, rollout),
        )  # fmt: skip
