"""The registry of faults: real mechanisms with typed parameters. What a fault changes, the drill's journal puts back.

A fault says three things: how to read its parameters (and refuse what it does not know), what it does, and which share
of its full effect is present when, so that detection can be predicted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lab.control import verbs
from lab.control.desk import Desk
from lab.slo.burn_rate import Profile
from lab.slo.document import Node

PIPELINE = "deploy-pipeline"
Report = Callable[[str], None]


class Fault(Protocol):
    """One way to break the lab, with its parameters."""

    def inject(self, desk: Desk, report: Report) -> None:
        """Break it; returns when the fault is fully there."""

    def profile(self) -> Profile:
        """(seconds, share of requests it reaches), one after the other from the start; the last one stays."""


@dataclass(frozen=True)
class Nothing:
    """The control: no fault at all."""

    @classmethod
    def read(cls, node: Node) -> Nothing:
        """Takes no parameters."""
        node.mapping("kind")
        return cls()

    def inject(self, desk: Desk, report: Report) -> None:
        """Do nothing."""

    def profile(self) -> Profile:
        """Nothing is reached, ever."""
        return ((1.0, 0.0),)


@dataclass(frozen=True)
class Step:
    """One step of a rollout: the weight it sets and how long it stays before the next one."""

    weight_percent: float
    hold_seconds: float


@dataclass(frozen=True)
class CanaryRamp:
    """A deploy pipeline raises the canary's weight step by step, with no gate that looks at its latency."""

    steps: tuple[Step, ...]

    @classmethod
    def read(cls, node: Node) -> CanaryRamp:
        """`steps`: a list of {weight_percent, hold_seconds}; the last one stays until it is undone."""
        steps = []
        for item in node.mapping("kind", "steps", required=("steps",))["steps"].items():
            keys = item.mapping("weight_percent", "hold_seconds", required=("weight_percent",))
            hold = between(keys["hold_seconds"], 0, 600) if "hold_seconds" in keys else 0.0
            steps.append(Step(between(keys["weight_percent"], 0, 100), hold))
        return cls(tuple(steps))

    def inject(self, desk: Desk, report: Report) -> None:
        """Walk the ramp as the pipeline does."""
        pipeline = desk.acting_as(PIPELINE)
        for step in self.steps:
            verbs.set_canary_weight(pipeline, step.weight_percent, "rollout of feed 1.1.0")
            report(f"{PIPELINE} set the canary weight to {step.weight_percent:g} %")
            time.sleep(step.hold_seconds)

    def profile(self) -> Profile:
        """The weight of each step, as a ratio."""
        return tuple((step.hold_seconds, step.weight_percent / 100) for step in self.steps)


def between(node: Node, least: float, most: float) -> float:
    """A number within its bounds."""
    number = node.number()
    if not least <= number <= most:
        raise node.refuse(f"{number:g} is not from {least:g} to {most:g}")
    return number


FAULTS: dict[str, Callable[[Node], Fault]] = {"nothing": Nothing.read, "canary-ramp": CanaryRamp.read}
