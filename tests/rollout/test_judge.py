"""The judge's three verdicts, and what it says about them."""

from __future__ import annotations

import math

import pytest

from lab.rollout.evidence import Arm, Interval, Pair
from lab.rollout.judge import LN10, Limits, Verdict, judge

LIMITS = Limits(margin=2, alpha=0.01, confidence=0.95, steps=4)
BOUNDS = {"feed-availability": 0.0576, "feed-latency-p99": 0.576}


def seconds(number: int, canary: tuple[int, int], stable: tuple[int, int] = (38, 0)) -> list[Interval]:
    """`number` intervals with (requests, bad) of both versions, each request from a client of its own."""
    pair = Pair(Arm(*canary), Arm(*stable))
    return [Interval(pair, pair)] * number


def counts(availability: list[Interval], latency: list[Interval] | None = None) -> dict[str, list[Interval]]:
    return {"feed-availability": availability, "feed-latency-p99": availability if latency is None else latency}


def test_a_clean_canary_passes_once_every_slo_has_enough_requests() -> None:
    held = judge(counts(seconds(30, (2, 0))), BOUNDS, LIMITS)
    assert held.verdict is Verdict.HOLD
    assert held.reason.startswith("feed-availability: 0 of 60 requests bad on the canary; evidence of health 10^")
    passed = judge(counts(seconds(40, (2, 0))), BOUNDS, LIMITS)
    assert passed.verdict is Verdict.PASS
    assert passed.reason == (
        "every SLO is below its bound at 95%; closest is feed-availability: 0 of 80 requests bad, bound 5.76%"
    )


def test_a_canary_that_is_slow_for_all_fails_within_seconds_and_names_the_slo() -> None:
    slow = judge(counts(seconds(3, (2, 0)), seconds(3, (2, 2))), BOUNDS, LIMITS)
    assert slow.verdict is Verdict.FAIL
    assert slow.reason.startswith(
        "feed-latency-p99: 6 of 6 clients affected on the canary, 0 of 38 on stable; evidence of harm"
    )
    assert slow.harm_log10 >= slow.harm_threshold_log10 == pytest.approx(math.log10(400))


def test_a_fault_that_hits_both_versions_alike_is_no_harm_of_the_canary() -> None:
    outage = seconds(60, (2, 1), (38, 19))
    assert judge(counts(outage), BOUNDS, LIMITS).verdict is Verdict.HOLD


def test_a_step_that_once_failed_stays_failed() -> None:
    recovered = [*seconds(5, (2, 2)), *seconds(200, (2, 0), (38, 5))]
    assert judge(counts(recovered), BOUNDS, LIMITS).verdict is Verdict.FAIL


@pytest.mark.parametrize("silence", [[], seconds(300, (0, 0)), seconds(300, (0, 0), (0, 0))])
def test_without_requests_there_is_no_verdict(silence: list[Interval]) -> None:
    held = judge(counts(silence), BOUNDS, LIMITS)
    assert held.verdict is Verdict.HOLD
    assert held.reason == "feed-availability: the canary has answered no request"
    assert held.harm_log10 == 0


def test_bad_requests_below_the_harm_threshold_hold_the_step() -> None:
    limping = judge(counts(seconds(20, (2, 0)), [*seconds(19, (2, 0)), *seconds(1, (2, 2))]), BOUNDS, LIMITS)
    assert limping.verdict is Verdict.HOLD
    (row,) = [row for row in limping.slos if row.slo == "feed-latency-p99"]
    assert (row.requests, row.bound) == (Pair(Arm(40, 2), Arm(760, 0)), 0.576)
    assert 0 < row.harm_log10 * LN10 < LIMITS.harm_threshold


def test_counts_and_bounds_of_different_slos_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit each other"):
        judge(counts([]), {"feed-availability": 0.1}, LIMITS)
