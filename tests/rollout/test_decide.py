"""What a rollout does next, for each thing that the controller may see."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from lab.clients.times import epoch_seconds
from lab.rollout.decide import MISMATCH, Canary, Seen, decide
from lab.rollout.journal import Rollout
from lab.rollout.judge import Judgement, Verdict
from lab.rollout.policy import ABORT, Policy, read_policy

T0 = "2026-01-02T03:04:05.000Z"
NOW = epoch_seconds(T0) + 40


def judged(verdict: Verdict) -> Judgement:
    return Judgement(verdict, f"the judge says {verdict}", 0.0, 2.6, 1.3, ())


@pytest.fixture
def policy() -> Policy:
    return replace(read_policy(), steps_percent=(5, 50, 100), dwell_seconds=10, deadline_seconds=120)


@pytest.fixture
def rollout(policy: Policy) -> Rollout:
    return Rollout(
        id="feed-1", service="feed", version="1.2.0", previous="1.0.0", stable_config=0, canary_config=0, restarts=0,
        salt="s", policy=policy, phase="stepping", since=T0, applied_percent=5, by="ada", reason="start",
    )  # fmt: skip


SEEN = Seen(
    now=NOW, since_last_seconds=1.0, weight_percent=5, switch_on=True, canary=Canary("1.2.0", ready=True),
    judgement=judged(Verdict.HOLD),
)  # fmt: skip


def after(rollout: Rollout, **seen: object) -> Rollout:
    return decide(rollout, replace(SEEN, **seen))  # type: ignore[arg-type]


def test_without_enough_evidence_nothing_changes(rollout: Rollout) -> None:
    assert after(rollout) == rollout


def test_a_pass_takes_the_next_step_and_counts_anew(rollout: Rollout) -> None:
    stepped = after(rollout, judgement=judged(Verdict.PASS))
    assert (stepped.phase, stepped.step, stepped.wanted_percent, stepped.since) == ("stepping", 1, 50, "")
    assert (stepped.by, stepped.reason) == ("rollout-controller", "the judge says pass")
    assert stepped.step_key != rollout.step_key
    assert [(event.step, event.weight_percent) for event in stepped.events] == [(1, 50)]


def test_a_pass_before_the_dwell_time_waits(rollout: Rollout) -> None:
    assert after(rollout, judgement=judged(Verdict.PASS), now=epoch_seconds(T0) + 9.9) == rollout


def test_a_pass_of_the_last_step_promotes(rollout: Rollout) -> None:
    last = msgspec.structs.replace(rollout, step=2, applied_percent=100)
    promoted = after(last, judgement=judged(Verdict.PASS), weight_percent=100)
    assert (promoted.phase, promoted.wanted_percent) == ("promoting", 100)


@pytest.mark.parametrize("phase", ["stepping", "held"])
@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ({"judgement": judged(Verdict.FAIL)}, "the judge says fail"),
        ({"canary": Canary("1.2.0", ready=True, restarts=3)}, "the canary restarted 3 times"),
        ({"canary": Canary("1.2.0", ready=False, unready_seconds=15)}, "the canary has not been ready for 15 s"),
        ({"judgement": judged(Verdict.FAIL), "pages": ("FeedLatencyP99Burn",)}, "the judge says fail"),
    ],
    ids=["harm", "crash loop", "not ready for long", "harm while it pages"],
)
def test_harm_aborts_also_while_held(rollout: Rollout, phase: str, seen: dict[str, object], why: str) -> None:
    aborting = after(msgspec.structs.replace(rollout, phase=phase), **seen)
    assert (aborting.phase, aborting.wanted_percent) == ("aborting", 0)
    assert aborting.reason.startswith(why)


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ({"weight_percent": 30}, "the weight was set to 30 % by hand; 5 % was in effect"),
        ({"switch_on": False}, "the kill switch is off"),
        ({"canary": Canary("1.1.0", ready=True)}, "the canary runs 1.1.0, and not 1.2.0"),
        ({"mismatch": MISMATCH}, "the clients are not split as asked (5 % to the canary)"),
    ],
    ids=["weight by hand", "kill switch", "new revision", "split"],
)
def test_a_change_by_somebody_else_holds_and_its_counts_are_no_evidence(
    rollout: Rollout, seen: dict[str, object], why: str
) -> None:
    held = after(rollout, judgement=judged(Verdict.PASS), **seen)
    assert (held.phase, held.since, held.attempt) == ("held", "", 1)
    assert held.reason.startswith(why)
    assert after(held, **seen) == held
    assert after(held).phase == "held", "a person has to resume it"


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ({"judgement": None}, "Prometheus has no counts of this step"),
        ({"weight_percent": None}, "the gateway does not answer"),
        ({"canary": Canary("1.2.0", ready=False)}, "the canary is not ready"),
        ({"pages": ("FeedAvailabilityBurn",), "judgement": judged(Verdict.PASS)}, "FeedAvailabilityBurn fires"),
        ({"gate": "the budget is exhausted", "judgement": judged(Verdict.PASS)}, "the budget is exhausted"),
    ],
    ids=["Prometheus away", "gateway away", "not ready", "another page", "gate closed"],
)
def test_an_obstacle_freezes_the_step_and_its_deadline(rollout: Rollout, seen: dict[str, object], why: str) -> None:
    late = epoch_seconds(T0) + 120.5
    frozen = after(rollout, now=late, **seen)
    assert (frozen.phase, frozen.step, frozen.frozen, frozen.frozen_seconds) == ("stepping", 0, why, 1.0)
    assert after(frozen, now=late).frozen == "", "it goes on by itself"
    assert after(frozen, now=late).phase == "stepping", "the frozen second does not count"


@pytest.mark.parametrize(("on_deadline", "phase"), [("hold", "held"), (ABORT, "aborting")])
def test_the_deadline_without_evidence_follows_the_policy(
    rollout: Rollout, policy: Policy, on_deadline: str, phase: str
) -> None:
    waiting = msgspec.structs.replace(rollout, policy=replace(policy, on_deadline=on_deadline))
    ended = after(waiting, now=epoch_seconds(T0) + 120)
    assert (ended.phase, ended.reason) == (phase, "not enough evidence after 120 s: the judge says hold")


def test_a_restarted_gateway_begins_the_step_again_and_condemns_nobody(rollout: Rollout) -> None:
    again = after(rollout, reset=True, judgement=judged(Verdict.FAIL))
    assert (again.phase, again.step, again.since, again.attempt) == ("stepping", 0, "", 1)


def test_a_page_at_full_weight_aborts(rollout: Rollout) -> None:
    full = msgspec.structs.replace(rollout, step=2, applied_percent=100)
    aborting = after(full, weight_percent=100, pages=("FeedLatencyP99Burn",))
    assert aborting.phase == "aborting"
    assert "no stable version left" in aborting.reason


def test_a_weight_that_is_not_yet_in_effect_is_nobodys_change(rollout: Rollout) -> None:
    """The controller was killed between the journal and the gateway, or between the gateway and the journal."""
    stepping = msgspec.structs.replace(rollout, step=1, since="")
    for weight in (5, 50):
        assert after(stepping, weight_percent=weight) == stepping
    assert after(stepping, weight_percent=7).phase == "held"


@pytest.mark.parametrize("phase", ["promoting", "aborting", "promoted", "aborted"])
def test_a_rollout_that_ends_is_not_judged(rollout: Rollout, phase: str) -> None:
    ending = msgspec.structs.replace(rollout, phase=phase)
    assert after(ending, judgement=judged(Verdict.FAIL), weight_percent=77) == ending
