"""A canary rollout without a gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.control import actions
from lab.drills.faults.base import Fault, Profile
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import many, number


@dataclass(frozen=True)
class Step:
    """One step of a rollout: the weight, and how long it holds before the next step."""

    weight_percent: float = number(0, 100, "Share of users routed to the canary.")
    hold_seconds: float = number(0, 600, "Time until the next step.", default=0.0)


@dataclass(frozen=True)
class CanaryRamp(Fault):
    """A deploy pipeline raises the canary's weight step by step, without a gate on its latency."""

    kind: ClassVar[str] = "canary-ramp"
    actor: ClassVar[str] = "deploy-pipeline"
    steps: tuple[Step, ...] = many(Step, "The rollout; its last weight stays until the fault is undone.")

    # No capture and no undo: the weight is control state, which the journal restores.

    def inject(self, context: FaultContext) -> None:
        """Set each weight in turn."""
        pipeline = context.clients.acting_as(self.actor)
        for step in self.steps:
            actions.set_canary_weight(pipeline, step.weight_percent, "rollout of feed 1.1.0")
            context.report(f"{self.actor} set the canary weight to {step.weight_percent:g} %")
            context.wait(step.hold_seconds)

    def profile(self) -> Profile:
        """The weight of each step, as a ratio."""
        return tuple((step.hold_seconds, step.weight_percent / 100) for step in self.steps)
