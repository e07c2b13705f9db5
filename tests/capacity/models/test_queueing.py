"""Queue formulas agree with direct sums, with each other and with simulated queues."""

from __future__ import annotations

import math
import random
from collections.abc import Generator
from fractions import Fraction
from typing import Any

import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.capacity.models.queueing import Mmc, erlang_b, erlang_c, in_use_quantile, littles_law, pool_size
from lab.errors import UsageError


@given(st.integers(1, 30), st.fractions(Fraction(1, 10), 40, max_denominator=10))
def test_the_recursion_is_the_definition_of_erlang_b_and_c(servers: int, offered: Fraction) -> None:
    terms = [offered**k / math.factorial(k) for k in range(servers + 1)]
    assert erlang_b(servers, float(offered)) == pytest.approx(float(terms[-1] / sum(terms)))
    if offered < servers:
        waiting = terms[-1] * servers / (servers - offered)
        assert erlang_c(servers, float(offered)) == pytest.approx(float(waiting / (sum(terms[:-1]) + waiting)))
    else:
        assert erlang_c(servers, float(offered)) == 1.0


def test_thousands_of_servers_are_no_problem() -> None:
    assert 0 < erlang_b(10_000, 9_900) < 0.01
    assert 0 < erlang_c(10_000, 9_900) < 1


@given(st.floats(0.01, 0.99))
def test_one_server_is_the_queue_of_the_textbook(utilisation: float) -> None:
    queue = Mmc(utilisation * 50, 1 / 50, 1)
    assert queue.utilisation == pytest.approx(utilisation)
    assert queue.wait_ratio == pytest.approx(utilisation)
    assert queue.mean_in_flight == pytest.approx(utilisation / (1 - utilisation))
    assert queue.mean_residence_seconds == pytest.approx(1 / (50 * (1 - utilisation)))


@given(st.floats(0.1, 0.98), st.integers(1, 40), st.floats(0.5, 0.9999))
def test_the_quantile_of_the_wait_is_exceeded_by_the_rest(utilisation: float, servers: int, quantile: float) -> None:
    queue = Mmc(utilisation * servers / 0.02, 0.02, servers)
    wait = queue.wait_quantile(quantile)
    if wait:
        assert queue.longer_ratio(wait) == pytest.approx(1 - quantile)
    else:
        assert queue.longer_ratio(0.0) <= 1 - quantile + 1e-12


def test_a_saturated_queue_waits_for_ever() -> None:
    queue = Mmc(200, 0.02, 4)
    assert (queue.utilisation, queue.wait_ratio, queue.longer_ratio(1e6)) == (1.0, 1.0, 1.0)
    assert queue.mean_wait_seconds == queue.wait_quantile(0.5) == queue.mean_in_flight == math.inf
    idle = Mmc(0, 0.02, 4)
    assert (idle.wait_ratio, idle.mean_wait_seconds, idle.mean_in_flight) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("servers", "utilisation"), [(1, 0.6), (4, 0.8)])
def test_a_simulated_queue_waits_as_predicted(servers: int, utilisation: float) -> None:
    """12,000 requests in SimPy: the ratio that waits and the mean within 10 %, the 90 % quantile within 15 %."""
    queue = Mmc(utilisation * servers, 1.0, servers)
    waits = sorted(simulated_waits(queue, 12_000, random.Random(5)))
    assert sum(wait > 0 for wait in waits) / len(waits) == pytest.approx(queue.wait_ratio, rel=0.1)
    assert sum(waits) / len(waits) == pytest.approx(queue.mean_wait_seconds, rel=0.1)
    assert waits[int(0.9 * len(waits))] == pytest.approx(queue.wait_quantile(0.9), rel=0.15)


def simulated_waits(queue: Mmc, requests: int, draw: random.Random) -> list[float]:
    env = simpy.Environment()
    servers = simpy.Resource(env, queue.servers)
    waits = []

    def request() -> Generator[simpy.Event, Any, None]:
        arrived = env.now
        with servers.request() as turn:
            yield turn
            waits.append(env.now - arrived)
            yield env.timeout(draw.expovariate(1 / queue.service_seconds))

    def arrivals() -> Generator[simpy.Event, Any, None]:
        for _ in range(requests):
            yield env.timeout(draw.expovariate(queue.arrivals))
            env.process(request())

    env.process(arrivals())
    env.run()
    return waits


@settings(max_examples=60)
@given(st.floats(1, 500), st.floats(0.001, 0.2), st.floats(0.001, 0.5), st.floats(0, 0.1))
def test_a_pool_is_the_smallest_that_keeps_waits_rare(rate: float, hold: float, ratio: float, wait: float) -> None:
    size = pool_size(rate, hold, longer_ratio=ratio, wait_seconds=wait)
    assert Mmc(rate, hold, size).longer_ratio(wait) <= ratio * (1 + 1e-9)
    if size > 1:
        smaller = Mmc(rate, hold, size - 1)
        assert smaller.utilisation >= 1 or smaller.longer_ratio(wait) > ratio * (1 - 1e-9)


def test_a_pool_may_be_smaller_if_requests_may_wait() -> None:
    """100 requests/s that hold a connection for 50 ms use 5; one in a hundred waits at all with 12."""
    assert pool_size(100, 0.05, longer_ratio=0.01) == 12
    assert pool_size(100, 0.05, longer_ratio=0.01, wait_seconds=0.05) < 10


@given(st.floats(0, 200), st.floats(0, 0.9999))
def test_the_connections_in_use_exceed_the_quantile_as_rarely_as_it_says(offered: float, quantile: float) -> None:
    count = in_use_quantile(offered, quantile)
    ratios = [math.exp(-offered)]
    for k in range(1, count + 1):
        ratios.append(ratios[-1] * offered / k)
    assert sum(ratios) >= quantile - 1e-9
    assert sum(ratios[:-1]) <= quantile + 1e-9


def test_littles_law_holds_within_five_percent_or_not() -> None:
    assert littles_law(4.9, 100, 0.05).holds
    assert littles_law(4.9, 100, 0.05).relative_error == pytest.approx(-0.02)
    assert not littles_law(5.3, 100, 0.05).holds
    assert not littles_law(4.7, 100, 0.05).holds
    assert littles_law(0, 0, 0.05).holds
    assert not littles_law(1, 0, 0.05).holds


def test_impossible_numbers_are_refused() -> None:
    for call in (
        lambda: littles_law(-1, 100, 0.05),
        lambda: erlang_b(-1, 2),
        lambda: erlang_c(3, -2),
        lambda: erlang_b(3, math.nan),
        lambda: Mmc(10, 0, 2),
        lambda: Mmc(10, 0.1, 0),
        lambda: Mmc(10, 0.1, 3).wait_quantile(1.0),
        lambda: pool_size(100, 0.05, longer_ratio=0),
        lambda: pool_size(1e9, 0.05, longer_ratio=0.01),
        lambda: in_use_quantile(-1, 0.5),
        lambda: in_use_quantile(5, 1.0),
    ):
        with pytest.raises(UsageError):
            call()
