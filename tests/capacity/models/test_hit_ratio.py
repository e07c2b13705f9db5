"""Predicted hit ratios are those of a simulated cache that works like the lab's."""

from __future__ import annotations

import math
import random
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.capacity.models.hit_ratio import (
    database_load,
    filling_hit_ratio,
    hit_ratio,
    mean_lifetime,
    miss_rates,
    zipf,
)
from lab.errors import UsageError
from lab.services.cache import JITTER_RATIO
from lab.traffic.mix import AUDIENCE, FEED_RATIO, USER_READ_RATIO, ZIPF_EXPONENT, Mix

SHARES = zipf(AUDIENCE, ZIPF_EXPONENT)
RATE = 60.0  # requests per second
TTL = 20.0


def simulated(ttl: float, seconds: tuple[float, float], *, writes: float = 0.0, seed: int = 1) -> float:
    """The hit ratio between two times of reads of RATE in all, with `writes` per second spread evenly over the keys."""
    draw = random.Random(seed)
    weights, keys = list(accumulate(SHARES)), range(AUDIENCE)
    expiry: dict[int, float] = {}
    now, hits, reads = 0.0, 0, 0
    while (now := now + draw.expovariate(RATE + writes)) < seconds[1]:
        if draw.random() < writes / (RATE + writes):
            expiry.pop(draw.randrange(AUDIENCE), None)
            continue
        key = draw.choices(keys, cum_weights=weights)[0]
        hit = expiry.get(key, 0.0) > now
        if not hit:
            expiry[key] = now + ttl * draw.uniform(1 - JITTER_RATIO, 1 + JITTER_RATIO)
        if now >= seconds[0]:
            reads, hits = reads + 1, hits + hit
    return hits / reads


@pytest.mark.parametrize("writes", [0.0, 20.0])
def test_a_simulated_cache_has_the_predicted_hit_ratio(writes: float) -> None:
    """30,000 reads, after five times the time to live: within 0.01."""
    lifetime = mean_lifetime(TTL, jitter_ratio=JITTER_RATIO, deletions_per_second=writes / AUDIENCE)
    predicted = hit_ratio([RATE * share for share in SHARES], lifetime)
    assert simulated(TTL, (5 * TTL, 600), writes=writes) == pytest.approx(predicted, abs=0.01)
    assert 0.6 < predicted < 0.9


@pytest.mark.parametrize(("start", "end", "writes"), [(0.0, 10.0, 0.0), (10.0, 30.0, 0.0), (5.0, 30.0, 100.0)])
def test_a_simulated_cache_fills_as_predicted(start: float, end: float, writes: float) -> None:
    """Before the first entry expires, the mean of ten runs is within 0.01."""
    runs = [simulated(math.inf, (start, end), writes=writes, seed=seed) for seed in range(10)]
    predicted = filling_hit_ratio(
        [RATE * share for share in SHARES], end, from_seconds=start, deletions_per_second=writes / AUDIENCE
    )
    assert sum(runs) / len(runs) == pytest.approx(predicted, abs=0.01)


def test_popularity_is_that_of_the_generated_traffic() -> None:
    """The tenth of the audience that is most popular gets its share of 4,000 reads, within 0.03."""
    mix = Mix("lab", seed=3)
    popular = {1 + rank * 7727 % 20_000 for rank in range(AUDIENCE // 10)}
    reads = [request for _ in range(4000) if (request := mix.next()).data.startswith(b"GET")]
    users = [int(request.data.split(b" ", 2)[1].split(b"/")[3]) for request in reads]
    assert sum(user in popular for user in users) / len(users) == pytest.approx(sum(SHARES[: AUDIENCE // 10]), abs=0.03)
    assert len(reads) / 4000 == pytest.approx(FEED_RATIO + USER_READ_RATIO, abs=0.03)


@given(st.integers(1, 500), st.floats(0, 3))
def test_shares_sum_to_one_and_fall_with_the_rank(keys: int, exponent: float) -> None:
    shares = zipf(keys, exponent)
    assert sum(shares) == pytest.approx(1)
    assert all(first >= second > 0 for first, second in pairwise(shares))
    assert shares[0] / shares[-1] == pytest.approx(keys**exponent)


@given(st.floats(0.1, 1000), st.floats(0, 1), st.floats(0.001, 10))
def test_the_mean_lifetime_is_that_of_the_first_of_expiry_and_deletion(ttl: float, jitter: float, rate: float) -> None:
    slices = 400
    ends = [ttl * (1 + jitter * (2 * (index + 0.5) / slices - 1)) for index in range(slices)]
    expected = sum(-math.expm1(-rate * end) / rate for end in ends) / slices
    found = mean_lifetime(ttl, jitter_ratio=jitter, deletions_per_second=rate)
    assert found == pytest.approx(expected, rel=5e-3)
    assert found <= ttl
    assert mean_lifetime(ttl, jitter_ratio=jitter) == ttl


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=20), st.floats(0, 1000))
def test_misses_are_the_load_that_the_hit_ratio_leaves(rates: list[float], lifetime: float) -> None:
    load = database_load(sum(rates), hit_ratio(rates, lifetime))
    assert load == pytest.approx(sum(miss_rates(rates, lifetime)), rel=1e-6)


def test_a_cache_without_requests_or_lifetime_has_no_hits() -> None:
    assert hit_ratio([], 300) == hit_ratio([0.0], 300) == hit_ratio([5.0], 0) == 0.0
    assert filling_hit_ratio([0.0], 10) == 0.0


def test_impossible_caches_are_refused() -> None:
    for call in (
        lambda: zipf(0, 1),
        lambda: mean_lifetime(0),
        lambda: mean_lifetime(300, jitter_ratio=1.5),
        lambda: mean_lifetime(300, deletions_per_second=-1),
        lambda: hit_ratio([-1.0], 300),
        lambda: miss_rates([1.0], -300),
        lambda: filling_hit_ratio([1.0], 5, from_seconds=5),
        lambda: filling_hit_ratio([1.0], 5, deletions_per_second=-1),
        lambda: database_load(100, 1.2),
        lambda: database_load(-1, 0.5),
    ):
        with pytest.raises(UsageError):
            call()
