"""What a staged push does next: a pure function of what was seen of the replica that has the new configuration."""

from __future__ import annotations

from dataclasses import dataclass

from lab.rollout.judge import Verdict
from lab.rollout.policy import Policy
from lab.rollout.recorded_step import Step


@dataclass(frozen=True)
class Seen:
    """What was seen of the replica after it has run the new version for `lasted_seconds`.

    `restarts` are its further starts, `step` the verdict on it; None where it is not compared, or while Prometheus has
    no counts. `pages` are the firing pages of the services behind which it stands. `overtaken`: somebody activated
    another version.
    """

    lasted_seconds: float
    restarts: int
    unready_seconds: float
    step: Step | None
    pages: tuple[str, ...]
    overtaken: bool = False


def decide(policy: Policy, seen: Seen, *, compared: bool) -> tuple[Verdict, str]:
    """Whether the other replicas get the new version (pass), the replica gets the old one (fail), or neither yet.

    `compared`: whether there are other replicas to judge it by; alone, it passes by staying up for the policy's dwell.
    """
    if seen.overtaken:
        return Verdict.FAIL, "another version was activated in the meantime"
    if seen.restarts:
        return Verdict.FAIL, "the replica was started again"
    if seen.unready_seconds >= policy.unready_seconds:
        return Verdict.FAIL, f"the replica has not been ready for {seen.unready_seconds:.0f} s"
    if seen.step is not None and seen.step.verdict is Verdict.FAIL:
        return Verdict.FAIL, seen.step.reason
    if seen.lasted_seconds < policy.dwell_seconds:
        return Verdict.HOLD, "the replica bakes"
    if seen.pages:
        verdict, why = Verdict.HOLD, f"{', '.join(seen.pages)} fires"
    elif seen.unready_seconds:
        verdict, why = Verdict.HOLD, "the replica is not ready"
    elif not compared:
        return Verdict.PASS, f"the only replica stayed up for {policy.dwell_seconds:g} s"
    elif seen.step is None:
        verdict, why = Verdict.HOLD, "Prometheus has no counts"
    else:
        verdict, why = seen.step.verdict, seen.step.reason
    if verdict is Verdict.HOLD and seen.lasted_seconds >= policy.deadline_seconds:
        return Verdict.FAIL, f"not enough evidence after {policy.deadline_seconds:g} s: {why}"
    return verdict, why
