"""The rollout policy: the ladder of weights, and what the judge tolerates. Read from rules/policy/rollout.yml."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from lab.drills.schema.parameters import between, choice, number, read, whole
from lab.paths import RULES
from lab.rollout.evidence import requests_needed
from lab.rollout.judge import PUSH, Limits
from lab.slo.catalogue import LAB, load_windows
from lab.slo.model import PAGE_TIERS, Slo, Windows
from lab.slo.specs.document import Node, read_document

FILE = RULES / "policy" / "rollout.yml"
HOLD, ABORT = DEADLINES = ("hold", "abort")
STEPS = "steps_percent"
MAX_STEPS = 20
FULL_PERCENT = 100.0


@dataclass(frozen=True)
class Policy:
    """One policy. The weights of its steps are in percent of the clients, rise, and end at 100."""

    dwell_seconds: float = number(0, 3600, "The least time of a step.")
    deadline_seconds: float = number(1, 86_400, "The time after which a step without enough evidence ends.")
    on_deadline: str = choice(DEADLINES, "What then happens.")
    margin: float = number(1, 100, "The tolerated odds of an affected client, as a multiple of stable's.")
    alpha: float = number(1e-6, 0.2, "The chance that a version within the margin is aborted by the judge.")
    confidence: float = number(0.5, 0.9999, "The certainty with which each SLO passes a step.")
    tier: str = choice(PAGE_TIERS, "The tier of the page whose threshold bounds the canary's bad ratio.")
    unready_seconds: float = number(1, 600, "A canary that is not ready for this long is aborted.")
    restarts: int = whole(1, 100, "A canary that restarted this often is aborted.")
    steps_percent: tuple[float, ...] = ()

    @property
    def limits(self) -> Limits:
        """The limits of the judge."""
        return Limits(self.margin, self.alpha, self.confidence, len(self.steps_percent))

    @property
    def push_limits(self) -> Limits:
        """The limits of the judge for a configuration push, which has one step."""
        return Limits(self.margin, self.alpha, self.confidence, 1, PUSH)

    def bound(self, slo: Slo, windows: Windows, step: int) -> float:
        """The bad ratio (0 to 1) below which the canary passes `step`: what would fire the page at the next weight.

        A total bad ratio of factor · budget keeps the tier's page firing, and at a weight w the canary adds its own
        ratio times w. The last step is judged for its own weight.
        """
        weight = self.steps_percent[min(step + 1, len(self.steps_percent) - 1)] / 100
        return min(0.99, windows.tier(self.tier).factor * slo.budget_ratio / weight)

    def bounds(self, slos: Iterable[Slo], windows: Windows, step: int) -> dict[str, float]:
        """The bound of each SLO at `step`, by its id."""
        return {slo.sloth_id: self.bound(slo, windows, step) for slo in slos}

    def clean_requests(self, slo: Slo, windows: Windows, step: int) -> int:
        """The requests, none of them bad, after which an SLO passes `step`."""
        return requests_needed(self.bound(slo, windows, step), 1 - self.confidence)


def push_bounds(policy: Policy, slos: Iterable[Slo]) -> dict[str, float]:
    """The bad ratio below which a replica passes a push: what would page with the new version on every replica."""
    return policy.bounds(slos, load_windows(LAB), len(policy.steps_percent) - 1)


def read_policy(file: Path = FILE) -> Policy:
    """The policy in `file`. Raises SpecError with file, line and key."""
    return policy_of(read_document(file, first_key=STEPS))


def policy_of(node: Node) -> Policy:
    """The policy in a document. Raises SpecError with its file and key."""
    policy = read(Policy, node, STEPS)
    if policy.dwell_seconds >= policy.deadline_seconds:
        deadline = node.mapping(*_keys(node))["deadline_seconds"]
        raise deadline.refuse(f"{policy.deadline_seconds:g} must be above dwell_seconds, {policy.dwell_seconds:g}")
    return replace(policy, steps_percent=_steps(node))


def _keys(node: Node) -> tuple[str, ...]:
    return tuple(node.value) if isinstance(node.value, dict) else ()


def _steps(node: Node) -> tuple[float, ...]:
    items = node.mapping(*_keys(node), required=(STEPS,))[STEPS].items()
    if len(items) > MAX_STEPS:
        raise items[MAX_STEPS].refuse(f"is step {MAX_STEPS + 1}; a ladder has at most {MAX_STEPS}")
    steps: list[float] = []
    for item in items:
        weight = between(item, 0.01, FULL_PERCENT)
        if steps and weight <= steps[-1]:
            raise item.refuse(f"{weight:g} must be above the step before, {steps[-1]:g}")
        steps.append(weight)
    if steps[-1] != FULL_PERCENT:
        raise items[-1].refuse(f"{steps[-1]:g} must be {FULL_PERCENT:g}: a rollout ends with all clients")
    return tuple(steps)
