"""Bursts: the fluid models agree with the gateway's own bucket and with simulated queues."""

from __future__ import annotations

import math
import random
from collections.abc import Generator
from typing import Any

import pytest
import simpy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lab.capacity.models.burst import Bucket, Burst
from lab.errors import UsageError
from lab.services.gateway.rate_limit import Quota, RateLimiter, TokenBucket

buckets = st.builds(Bucket, st.floats(1, 100), st.floats(2, 200))


@settings(max_examples=60)
@given(buckets, st.floats(1.05, 20))
def test_the_gateways_bucket_refuses_first_when_predicted(bucket: Bucket, excess: float) -> None:
    """Evenly spaced requests: the first refusal comes within one interval after the predicted time."""
    offered = bucket.per_second * excess
    real = TokenBucket(bucket.per_second, bucket.burst, bucket.burst, 0.0)
    predicted = bucket.admits_seconds(offered)
    assume(predicted * offered < 5000)
    number = 0
    while not real.take(number / offered):
        number += 1
    assert predicted - 1e-6 <= number / offered <= predicted + 1 / offered + 1e-6


@settings(max_examples=60)
@given(buckets, st.floats(0.2, 0.99) | st.floats(1.01, 20), st.floats(1, 20))
def test_the_gateways_bucket_refuses_as_many_as_predicted(bucket: Bucket, excess: float, seconds: float) -> None:
    """Within two requests, because the last token is whole and the first request comes at once."""
    offered = bucket.per_second * excess
    requests = math.ceil(offered * seconds)
    assume(10 < requests < 5000)
    real = TokenBucket(bucket.per_second, bucket.burst, bucket.burst, 0.0)
    refused = sum(real.take(number / offered) > 0 for number in range(requests))
    assert refused == pytest.approx(bucket.refused_ratio(offered, seconds) * offered * seconds, abs=2)


def test_the_gateway_refuses_a_client_as_predicted() -> None:
    """The default quota of a client under 80 requests/s for 60 s: burst used up after 3.3 s, then 50/s pass."""
    quota = Quota()
    bucket = Bucket(quota.client_per_second, quota.client_burst)
    limiter = RateLimiter(quota)
    scopes = [limiter.take("client", number / 80)[0] for number in range(80 * 60)]
    assert scopes.index("client") / 80 == pytest.approx(bucket.admits_seconds(80), abs=1.01 / 80)
    assert scopes.count("client") / len(scopes) == pytest.approx(bucket.refused_ratio(80, 60), abs=0.001)
    assert bucket.refused_ratio(80) == pytest.approx(3 / 8)


def test_poisson_requests_are_refused_about_as_predicted() -> None:
    """Within 0.02 of the ratio, for 9,000 requests in SimPy."""
    bucket, offered, seconds = Bucket(50, 100), 90.0, 100.0
    draw, env = random.Random(4), simpy.Environment()
    real = TokenBucket(bucket.per_second, bucket.burst, bucket.burst, 0.0)
    refused: list[bool] = []

    def arrivals() -> Generator[simpy.Event, Any, None]:
        while True:
            yield env.timeout(draw.expovariate(offered))
            refused.append(real.take(env.now) > 0)

    env.process(arrivals())
    env.run(until=seconds)
    assert sum(refused) / len(refused) == pytest.approx(bucket.refused_ratio(offered, seconds), abs=0.02)


@pytest.mark.parametrize("offered", [0.0, 30.0])
def test_an_empty_bucket_is_full_again_after_its_refill(offered: float) -> None:
    bucket = Bucket(50, 100)
    seconds = bucket.refill_seconds(offered)
    real = TokenBucket(50, 100, 0.0, 0.0)
    for number in range(1, int(offered * seconds) + 1):
        assert not real.take(number / offered)
    real.take(seconds)
    assert real.tokens == pytest.approx(99, abs=1.1)
    assert bucket.refill_seconds(50) == math.inf


def test_a_bucket_admits_its_rate_for_ever() -> None:
    bucket = Bucket(50, 100)
    assert bucket.admits_seconds(50) == math.inf
    assert bucket.refused_ratio(50) == bucket.refused_ratio(0) == 0.0
    assert bucket.refused_ratio(60, 1) == 0.0


def test_a_simulated_queue_grows_and_drains_as_predicted() -> None:
    """4 servers of 25 requests/s each, 60 requests/s, three times as many for 20 s: all within 10 %."""
    burst = Burst(base=60, factor=3, seconds=20, capacity=100)
    draw, env = random.Random(6), simpy.Environment()
    servers = simpy.Resource(env, 4)
    waits: list[float] = []
    longest, drained = 0, 0.0

    def request() -> Generator[simpy.Event, Any, None]:
        nonlocal longest, drained
        arrived = env.now
        with servers.request() as turn:
            longest = max(longest, len(servers.queue))
            yield turn
            waits.append(env.now - arrived)
            if not servers.queue and not drained and env.now > burst.seconds:
                drained = env.now - burst.seconds
            yield env.timeout(4 / burst.capacity)

    def arrivals() -> Generator[simpy.Event, Any, None]:
        while env.now < 100:
            yield env.timeout(draw.expovariate(burst.base * (burst.factor if env.now < burst.seconds else 1)))
            env.process(request())

    env.process(arrivals())
    env.run()
    assert longest == pytest.approx(burst.peak_backlog, rel=0.1)
    assert max(waits) == pytest.approx(burst.peak_wait_seconds, rel=0.1)
    assert drained == pytest.approx(burst.drain_seconds, rel=0.1)
    for limit in (0.5, 2.0, 8.0):
        assert sum(wait > limit for wait in waits) == pytest.approx(burst.late_requests(limit), rel=0.1)


def test_a_burst_by_hand() -> None:
    """60/s, doubled for 10 s, of which 100/s are served: 200 wait at its end, for 2 s, and drain in 5 s."""
    burst = Burst(base=60, factor=2, seconds=10, capacity=100)
    assert (burst.peak_backlog, burst.peak_wait_seconds, burst.drain_seconds) == (200, 2, 5)
    assert burst.late_requests(1) == 120 * 5 + 60 * 2.5
    assert burst.late_requests(0) == 120 * 10 + 60 * 5
    assert burst.late_requests(2) == 0


@given(st.floats(1, 100), st.floats(0, 5), st.floats(0, 60), st.floats(1, 3), st.floats(0, 5))
def test_a_burst_within_the_capacity_makes_nobody_wait(
    base: float, factor: float, seconds: float, headroom: float, limit: float
) -> None:
    burst = Burst(base, factor, seconds, base * max(factor, 1) * headroom)
    assert burst.peak_backlog == burst.drain_seconds == burst.late_requests(limit) == 0


def test_a_backlog_never_drains_without_spare_capacity() -> None:
    burst = Burst(base=100, factor=2, seconds=10, capacity=100)
    assert burst.drain_seconds == burst.late_requests(1) == math.inf
    assert Burst(base=0, factor=2, seconds=10, capacity=100).drain_seconds == 0


def test_impossible_bursts_are_refused() -> None:
    for call in (
        lambda: Bucket(0, 10),
        lambda: Bucket(5, 1.5),
        lambda: Bucket(5, 10).admits_seconds(-1),
        lambda: Bucket(5, 10).refused_ratio(5, -1),
        lambda: Bucket(5, 10).refill_seconds(math.nan),
        lambda: Burst(10, -1, 5, 20),
        lambda: Burst(10, 2, math.inf, 20),
        lambda: Burst(0, 2, 5, 0),
        lambda: Burst(10, 2, 5, 20).late_requests(-1),
    ):
        with pytest.raises(UsageError):
            call()
    with pytest.raises(UsageError, match="base of 30 requests/s exceeds the capacity of 20"):
        Burst(30, 2, 5, 20)
