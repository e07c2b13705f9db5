"""Tail sampling: why traces are kept, and what a collector that asks again is told."""

from __future__ import annotations

import pytest

from lab.telemetry import sampling
from lab.telemetry.sampling import TailSampler


def decide(sampler: TailSampler, trace_id: int = 1, seconds: float = 0.1, status: int = 200, **facts: bool) -> str:
    known = {"retried": False, "shed": False, "sampled": False, **facts}
    return sampler.decide(trace_id, seconds, status, **known)


@pytest.mark.parametrize(
    ("seconds", "status", "facts", "reason"),
    [
        (0.1, 200, {}, ""),
        (0.2, 200, {}, ""),
        (0.201, 200, {}, "slow"),
        (0.1, 404, {}, ""),
        (0.1, 503, {}, "failed"),
        (3.0, 504, {}, "failed"),
        (0.1, 200, {"retried": True}, "retried"),
        (0.1, 429, {"shed": True}, "shed"),
        (0.1, 503, {"shed": True}, "shed"),
        (0.1, 200, {"sampled": True}, "baseline"),
        (0.3, 200, {"sampled": True, "retried": True}, "slow"),
    ],
)
def test_why_a_trace_is_kept(seconds: float, status: int, facts: dict[str, bool], reason: str) -> None:
    sampler = TailSampler(0.2)
    assert decide(sampler, 7, seconds, status, **facts) == reason
    assert sampler.chosen(0) == ((1, [(7, reason)]) if reason else (0, []))


def test_a_collector_is_told_what_is_new_since_it_last_asked() -> None:
    sampler = TailSampler(0.2)
    for trace_id in (1, 2, 3):
        decide(sampler, trace_id, seconds=1)
    count, chosen = sampler.chosen(0)
    assert (count, [trace_id for trace_id, _ in chosen]) == (3, [1, 2, 3])
    assert sampler.chosen(3) == (3, [])
    decide(sampler, 4, seconds=1)
    assert sampler.chosen(3) == (4, [(4, "slow")])


def test_a_collector_that_knows_an_earlier_process_is_told_everything() -> None:
    sampler = TailSampler(0.2)
    decide(sampler, 1, seconds=1)
    assert sampler.chosen(500) == (1, [(1, "slow")])


def test_choices_that_nobody_asks_for_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "MAX_CHOSEN", 10)
    sampler = TailSampler(0.2)
    for trace_id in range(25):
        decide(sampler, trace_id, seconds=1)
    count, chosen = sampler.chosen(0)
    assert (count, [trace_id for trace_id, _ in chosen]) == (25, list(range(15, 25)))


def test_one_request_a_second_is_the_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [50.0]
    monkeypatch.setattr(sampling, "monotonic", lambda: now[0])
    sampler = TailSampler(0.2)
    found = []
    for _ in range(30):
        found.append(sampler.baseline())
        now[0] += 0.1
    assert sum(found) == 3
