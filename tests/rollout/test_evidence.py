"""The rollout judge's tests are e-processes: under its hypothesis, an interval multiplies by at most 1 on average."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.rollout.decide import MISMATCH
from lab.rollout.evidence import HEALTH_RATIOS, Arm, Pair, harm, health, log_mean, mismatch, requests_needed
from lab.rollout.policy import read_policy

POLICY = read_policy()
SPLITS = [percent / 100 for percent in POLICY.steps_percent if percent < 100]


def pair(canary: tuple[int, int], stable: tuple[int, int]) -> Pair:
    """(clients at risk, newly affected ones) of both versions."""
    return Pair(Arm(*canary), Arm(*stable))


def fisher(n_c: int, n_s: int, bad: int, odds: Fraction) -> dict[int, Fraction]:
    """Fisher's noncentral hypergeometric distribution of the canary's affected clients, given those of both."""
    support = range(max(0, bad - n_s), min(bad, n_c) + 1)
    weights = {k: math.comb(n_c, k) * math.comb(n_s, bad - k) * odds**k for k in support}
    total = sum(weights.values())
    return {k: weight / total for k, weight in weights.items()}


def last(logs: Iterable[float]) -> float:
    return list(logs)[-1]


@given(
    n_c=st.integers(0, 30), n_s=st.integers(0, 60), bad=st.integers(0, 90),
    margin=st.sampled_from([1, 2, 3]), share=st.fractions(Fraction(1, 10), 1),
)  # fmt: skip
def test_the_expected_factor_of_harm_is_at_most_one_within_the_margin(
    n_c: int, n_s: int, bad: int, margin: int, share: Fraction
) -> None:
    bad = min(bad, n_c + n_s)
    expected = sum(
        float(chance) * math.exp(last(harm([pair((n_c, k), (n_s, bad - k))], margin)))
        for k, chance in fisher(n_c, n_s, bad, margin * share).items()
    )
    assert expected <= 1 + 1e-9


def test_the_expected_factor_of_harm_is_above_one_beyond_the_margin() -> None:
    expected = sum(
        float(chance) * math.exp(last(harm([pair((20, k), (60, 12 - k))], 2)))
        for k, chance in fisher(20, 60, 12, Fraction(8)).items()
    )
    assert expected > 10


@given(n=st.integers(0, 40), bound=st.floats(0.001, 0.5), excess=st.floats(1, 2))
def test_the_expected_factor_of_health_is_at_most_one_at_the_bound_and_above(
    n: int, bound: float, excess: float
) -> None:
    ratio = min(1.0, bound * excess)
    expected = sum(
        math.comb(n, k) * ratio**k * (1 - ratio) ** (n - k) * math.exp(last(health([Arm(n, k)], bound)))
        for k in range(n + 1)
    )
    assert expected <= 1 + 1e-9


@pytest.mark.parametrize(
    "silent",
    [pair((0, 0), (0, 0)), pair((5, 0), (90, 0)), pair((5, 3), (0, 0)), pair((0, 0), (90, 9))],
    ids=["no traffic", "no bad request", "no stable traffic", "no canary traffic"],
)
def test_harm_does_not_move_without_two_versions_and_a_bad_request(silent: Pair) -> None:
    before = pair((5, 1), (95, 2))
    moved, unmoved = harm([before, silent], 2)
    assert moved == pytest.approx(unmoved)


def test_harm_is_found_when_stable_has_no_error_at_all() -> None:
    logs = list(harm([pair((2, 2), (38, 0))] * 3, 2))
    assert logs == sorted(logs)
    assert logs[-1] > math.log(400), "six bad requests of six, against none of 114"


def test_harm_that_ends_in_health_counts_against_itself() -> None:
    up, down = harm([pair((5, 4), (95, 2)), pair((5, 0), (95, 20))], 2)
    assert up > 0 > down


def test_health_needs_requests_and_falls_with_each_bad_one() -> None:
    none, clean, bad = health([Arm(0, 0), Arm(50, 0), Arm(10, 2)], 0.1)
    assert none == 0
    assert clean > 0
    assert bad < clean


@given(bound=st.floats(0.001, 0.9), alpha=st.floats(0.001, 0.5))
def test_requests_needed_is_the_first_number_that_always_suffices(bound: float, alpha: float) -> None:
    needed = requests_needed(bound, alpha)
    assert last(health([Arm(needed, 0)], bound)) >= -math.log(alpha) - 1e-9
    assert (1 - bound) ** -(needed - 1) / len(HEALTH_RATIOS) < 1 / alpha * (1 + 1e-9)


def test_the_mean_of_logarithms_survives_numbers_beyond_a_float() -> None:
    assert log_mean([2000.0, -math.inf]) == pytest.approx(2000 - math.log(2))
    assert log_mean([-math.inf, -math.inf]) == -math.inf


def test_more_bad_requests_than_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="3 bad of 2"):
        Arm(2, 3)


@given(clients=st.integers(0, 60), weight=st.floats(0.01, 0.99))
def test_the_expected_factor_of_a_mismatch_is_one_while_the_split_is_as_asked(clients: int, weight: float) -> None:
    expected = sum(
        math.comb(clients, k) * weight**k * (1 - weight) ** (clients - k) * math.exp(mismatch(k, clients - k, weight))
        for k in range(clients + 1)
    )
    assert expected == pytest.approx(1)


def mismatches(seed: int, weight: float, share: float) -> Iterator[float]:
    """The evidence after each second of a step, up to its deadline; `share` of 40 new clients go to the canary."""
    clients, canary = random.Random(seed), 0
    for second in range(1, int(POLICY.deadline_seconds) + 1):
        canary += sum(clients.random() < share for _ in range(40))
        yield mismatch(canary, 40 * second - canary, weight)


@pytest.mark.parametrize("weight", SPLITS)
def test_a_split_as_asked_stays_below_the_threshold_although_somebody_looks_every_second(weight: float) -> None:
    assert max(max(mismatches(seed, weight, weight)) for seed in range(100)) < MISMATCH


@pytest.mark.parametrize("factor", [0.5, 2.0], ids=["half", "double"])
@pytest.mark.parametrize("weight", SPLITS)
def test_half_and_double_the_share_are_found_before_the_deadline(weight: float, factor: float) -> None:
    assert min(max(mismatches(seed, weight, factor * weight)) for seed in range(50)) >= MISMATCH
