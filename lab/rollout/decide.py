"""What a rollout does next: a pure function of its journal and of what the controller saw."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from lab.clients.times import epoch_seconds, utc_text
from lab.names import ROLLOUT_CONTROLLER
from lab.rollout.journal import Event, Phase, Rollout
from lab.rollout.judge import Judgement, Verdict
from lab.rollout.policy import ABORT, FULL_PERCENT

# The evidence that the split is not what was asked for: a thousand to one.
MISMATCH = math.log(1000)
# A step has no counts in Prometheus before its first scrapes.
FIRST_SCRAPES_SECONDS = 3.0


@dataclass(frozen=True)
class Canary:
    """The canary's processes: the versions they run, as far as known, and whether all are ready.

    `unready_seconds` is how long they have not been although stable is; `restarts` are those since the rollout began.
    """

    version: str
    ready: bool
    unready_seconds: float = 0.0
    restarts: int = 0


@dataclass(frozen=True)
class Seen:
    """What the controller saw at `now` (epoch seconds), `since_last_seconds` after it last looked.

    `weight_percent` is None when the gateway does not answer. `judgement` is None when Prometheus has no counts of the
    step at its weight; `reset` says that they are incomplete. `mismatch` is the log evidence against the split, `pages`
    are the firing pages of the service, `gate` is why the error-budget policy refuses the next step, "" when it does
    not or the step does not pass.
    """

    now: float
    since_last_seconds: float
    weight_percent: float | None
    switch_on: bool
    canary: Canary
    judgement: Judgement | None
    reset: bool = False
    mismatch: float = 0.0
    pages: tuple[str, ...] = ()
    gate: str = ""


def decide(rollout: Rollout, seen: Seen) -> Rollout:
    """The journal after what was seen; the same one when nothing changes."""
    if rollout.phase not in ("stepping", "held"):
        return rollout
    if why := _harm(rollout, seen):
        return move(rollout, "aborting", seen.now, ROLLOUT_CONTROLLER, why)
    if rollout.since and seen.reset:
        return count_again(rollout, "the gateway restarted and its counts began again")
    if why := not_ours(rollout, seen):
        if rollout.phase == "held":
            return count_again(rollout, rollout.reason) if rollout.since else rollout
        return count_again(move(rollout, "held", seen.now, ROLLOUT_CONTROLLER, why), why)
    if rollout.phase == "held" or not rollout.since:
        return rollout
    if why := _obstacle(rollout, seen):
        return msgspec.structs.replace(
            rollout, frozen=why, frozen_seconds=round(rollout.frozen_seconds + seen.since_last_seconds, 3)
        )
    return _next(msgspec.structs.replace(rollout, frozen=""), seen)


def elapsed_seconds(rollout: Rollout, now: float) -> float:
    """The time that the step has lasted, without the time in which it was frozen; 0 before its weight is in effect."""
    return now - epoch_seconds(rollout.since) - rollout.frozen_seconds if rollout.since else 0.0


def move(rollout: Rollout, phase: Phase, now: float, by: str, reason: str, *, step: int | None = None) -> Rollout:
    """The journal in another phase or at another step, with its event.

    Counting begins again, except in a rollout that is held: the judge goes on watching it.
    """
    moved = msgspec.structs.replace(rollout, phase=phase, frozen="", by=by, reason=reason)
    if step is not None:
        moved = msgspec.structs.replace(moved, step=step, attempt=0)
    if phase != "held":
        moved = count_again(moved, reason)
    event = Event(
        at=utc_text(now), phase=phase, step=moved.step, weight_percent=moved.wanted_percent, by=by, reason=reason
    )
    return msgspec.structs.replace(moved, events=[*moved.events, event])


def count_again(rollout: Rollout, reason: str) -> Rollout:
    """The step from its beginning."""
    return msgspec.structs.replace(
        rollout, attempt=rollout.attempt + 1, since="", frozen="", frozen_seconds=0.0, reason=reason
    )


def _harm(rollout: Rollout, seen: Seen) -> str:
    """Why the rollout must be aborted, also while it is held; "" when it need not be."""
    canary, policy = seen.canary, rollout.policy
    if canary.restarts >= policy.restarts:
        return f"the canary restarted {canary.restarts} times; the policy allows fewer than {policy.restarts}"
    if canary.unready_seconds >= policy.unready_seconds:
        return f"the canary has not been ready for {canary.unready_seconds:.0f} s"
    if seen.judgement is not None and not seen.reset and seen.judgement.verdict is Verdict.FAIL:
        return seen.judgement.reason
    if seen.pages and rollout.since and rollout.wanted_percent == FULL_PERCENT:
        return f"{', '.join(seen.pages)} fires, and there is no stable version left to compare with"
    return ""


def not_ours(rollout: Rollout, seen: Seen) -> str:
    """What somebody else changed, so that a person has to decide; "" when nobody did."""
    if not seen.switch_on:
        return "the kill switch is off: no client is sent to the canary, whatever its weight"
    if seen.weight_percent not in (None, rollout.applied_percent, rollout.wanted_percent):
        return f"the weight was set to {seen.weight_percent:g} % by hand; {rollout.wanted_percent:g} % was in effect"
    if seen.canary.version and rollout.applied_percent and seen.canary.version != rollout.version:
        return f"the canary runs {seen.canary.version}, and not {rollout.version}: a new revision needs a new rollout"
    if seen.mismatch >= MISMATCH:
        return f"the clients are not split as asked ({rollout.wanted_percent:g} % to the canary)"
    return ""


def _obstacle(rollout: Rollout, seen: Seen) -> str:
    """Why nothing can be decided now; the step waits until it is gone."""
    if seen.weight_percent is None:
        return "the gateway does not answer"
    if not seen.canary.ready:
        return "the canary is not ready"
    if seen.judgement is None and elapsed_seconds(rollout, seen.now) > FIRST_SCRAPES_SECONDS:
        return "Prometheus has no counts of this step"
    if seen.pages:
        return f"{', '.join(seen.pages)} fires"
    return seen.gate


def _next(rollout: Rollout, seen: Seen) -> Rollout:
    policy, judgement = rollout.policy, seen.judgement
    lasted = elapsed_seconds(rollout, seen.now)
    if judgement is None:
        return rollout
    if judgement.verdict is Verdict.PASS and lasted >= policy.dwell_seconds:
        if rollout.step + 1 == len(policy.steps_percent):
            return move(rollout, "promoting", seen.now, ROLLOUT_CONTROLLER, judgement.reason)
        return move(rollout, "stepping", seen.now, ROLLOUT_CONTROLLER, judgement.reason, step=rollout.step + 1)
    if lasted >= policy.deadline_seconds:
        phase: Phase = "aborting" if policy.on_deadline == ABORT else "held"
        why = f"not enough evidence after {policy.deadline_seconds:g} s: {judgement.reason}"
        return move(rollout, phase, seen.now, ROLLOUT_CONTROLLER, why)
    return rollout
