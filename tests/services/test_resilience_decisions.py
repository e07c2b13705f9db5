"""Retries, breakers, priorities, names of clients: arithmetic that is told the time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import names
from lab.services.breaker import AUTO, CLOSED, HALF_OPEN, MIN_CALLS, OFF, OPEN, REST_SECONDS, WINDOW_SECONDS, Breaker
from lab.services.feed import options
from lab.services.feed.hot_feeds import REMEMBERED, Popular
from lab.services.feed.options import FeedOptions
from lab.services.gateway.heavy_hitters import HEAVY_PER_SECOND, MAX_NAMED, OTHER, HeavyClients
from lab.services.gateway.priority import FEED_READ, GUEST, PRIORITIES, USER_READ, WRITE, Shed, priority_of
from lab.services.retry import MIN_PER_SECOND, RetryBudget, RetryPolicy
from lab.services.retry import WINDOW_SECONDS as BUDGET_SECONDS


@given(
    ratio=st.floats(0, 2),
    events=st.lists(st.tuples(st.floats(0, 3), st.booleans()), min_size=1, max_size=300),
)
def test_in_no_window_are_there_more_retries_than_the_budget_of_its_requests(
    ratio: float, events: list[tuple[float, bool]]
) -> None:
    budget, now = RetryBudget(), 100.0
    requests: list[float] = []
    retries: list[float] = []
    for gap, retry in events:
        now += gap
        if not retry:
            budget.request(now)
            requests.append(now)
        elif budget.take(now, ratio):
            retries.append(now)
        # The window is counted in whole seconds: it holds at least its length less one.
        inside = [at for at in retries if at > now - BUDGET_SECONDS + 1]
        paid = [at for at in requests if at > now - BUDGET_SECONDS]
        assert len(inside) <= ratio * len(paid) + MIN_PER_SECOND * BUDGET_SECONDS + 1e-9


def test_when_every_request_fails_the_budget_bounds_what_retries_add() -> None:
    """100 requests a second, each of which wants three more tries, for 20 seconds."""
    budget, sent = RetryBudget(), 0
    for step in range(2000):
        now = step / 100
        budget.request(now)
        sent += sum(budget.take(now, 0.1) for _ in range(3))
    assert 0.1 * 2000 <= sent <= 0.1 * 2000 + 2 * MIN_PER_SECOND * BUDGET_SECONDS


def test_a_policy_allows_what_it_names_and_no_more_often() -> None:
    policy = RetryPolicy(max_retries=2, on=("timeout",))
    assert [policy.allows("timeout", made) for made in range(4)] == [True, True, False, False]
    assert not policy.allows("unavailable", 0)


def failing(breaker: Breaker, calls: int, at: float) -> None:
    for _ in range(calls):
        breaker.record(False, at)


def test_a_breaker_opens_when_half_of_enough_calls_fail_and_tries_one_call_after_its_rest() -> None:
    breaker = Breaker(AUTO)
    failing(breaker, MIN_CALLS - 1, 1.0)
    assert (breaker.state(1.0), breaker.admit(1.0)) == (CLOSED, True)
    failing(breaker, 1, 1.0)
    assert (breaker.state(1.1), breaker.admit(1.1)) == (OPEN, False)
    later = 1.0 + REST_SECONDS
    assert breaker.state(later) == HALF_OPEN
    assert [breaker.admit(later) for _ in range(3)] == [True, False, False], "one probe at a time"
    breaker.record(False, later)
    assert breaker.state(later + 0.1) == OPEN
    again = later + REST_SECONDS
    assert breaker.admit(again)
    breaker.record(True, again)
    assert breaker.state(again) == CLOSED
    failing(breaker, 1, again)
    assert breaker.state(again) == CLOSED, "what failed before it opened is forgotten"


def test_few_failures_among_many_calls_leave_a_breaker_closed_and_old_ones_do_not_count() -> None:
    breaker = Breaker(AUTO)
    failing(breaker, MIN_CALLS - 1, 0.0)
    for _ in range(MIN_CALLS):
        breaker.record(True, WINDOW_SECONDS + 1)
    failing(breaker, MIN_CALLS - 1, WINDOW_SECONDS + 1)
    assert breaker.state(WINDOW_SECONDS + 1) == CLOSED


def test_a_late_answer_of_a_call_sent_before_does_not_close_an_open_breaker() -> None:
    breaker = Breaker(AUTO)
    failing(breaker, MIN_CALLS, 1.0)
    breaker.record(True, 2.0)
    assert breaker.state(2.0) == OPEN


def test_a_probe_that_never_came_back_does_not_keep_the_breaker_open_for_ever() -> None:
    breaker = Breaker(AUTO)
    failing(breaker, MIN_CALLS, 1.0)
    assert breaker.admit(1.0 + REST_SECONDS)
    assert breaker.admit(1.0 + 2 * REST_SECONDS)


def test_an_operator_outranks_the_count() -> None:
    breaker = Breaker(OFF)
    failing(breaker, 10 * MIN_CALLS, 1.0)
    assert breaker.admit(1.0)
    breaker.set_mode(OPEN)
    assert (breaker.state(2.0), breaker.admit(2.0)) == (OPEN, False)
    breaker.record(True, 100.0)
    assert not breaker.admit(100.0)
    breaker.set_mode(AUTO)
    assert breaker.admit(100.0)


@pytest.mark.parametrize(
    ("method", "route", "client", "priority"),
    [
        ("GET", names.ROUTE_FEED, "client-1", FEED_READ),
        ("GET", names.ROUTE_USER, "client-1", USER_READ),
        ("PUT", names.ROUTE_USER, "client-1", WRITE),
        ("GET", names.ROUTE_FEED, None, GUEST),
        ("PUT", names.ROUTE_USER, "guest-7", GUEST),
    ],
)
def test_a_request_has_the_priority_of_what_it_asks_and_who_asks(
    method: str, route: str, client: str | None, priority: str
) -> None:
    assert priority_of(method, route, client) == priority


@given(most=st.integers(1, 10_000), ratios=st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_feed_reads_are_admitted_up_to_the_limit_and_nobody_beyond_it(most: int, ratios: list[float]) -> None:
    shed = Shed(most, *ratios)
    assert shed.limit(FEED_READ) == most
    assert all(0 <= shed.limit(priority) <= most for priority in PRIORITIES)


def test_by_default_the_limits_fall_with_the_priority() -> None:
    limits = [Shed().limit(priority) for priority in PRIORITIES]
    assert limits == sorted(limits, reverse=True)
    assert len(set(limits)) == len(limits)


def test_only_who_asks_much_has_a_name_and_there_are_few_names() -> None:
    clients = HeavyClients()
    assert {clients.label(f"client-{n}", 1.0) for n in range(1000)} == {OTHER}
    assert [clients.label("greedy", 1.5) for _ in range(HEAVY_PER_SECOND + 2)][-2:] == ["greedy", "greedy"]
    assert clients.label("greedy", 9.0) == "greedy", "a name stays"
    labels = {clients.label(f"heavy-{n}", 10.5) for n in range(100) for _ in range(HEAVY_PER_SECOND + 1)}
    assert len(labels - {OTHER}) == MAX_NAMED - 1


@given(
    st.builds(
        FeedOptions,
        profiles=st.booleans(),
        serve_stale=st.booleans(),
        single_flight=st.booleans(),
        ttl_seconds=st.sampled_from([1.0, 60.0, 300.0, 3600.0]),
    )
)
def test_what_the_edge_says_arrives(told: FeedOptions) -> None:
    assert options.read(f"userId=7,{told.baggage()};meta=x" if told.baggage() else None) == told


@pytest.mark.parametrize("header", ["", "x", "feed.profiles", "feed.ttl_seconds=-1", "feed.ttl_seconds=nan", "a=b,,;"])
def test_baggage_that_makes_no_sense_changes_nothing(header: str) -> None:
    assert options.read(header) == FeedOptions()
    assert FeedOptions().baggage() == ""


def test_the_most_asked_for_feeds_are_known_and_memory_is_bounded() -> None:
    popular = Popular()
    for viewer in [*range(1, REMEMBERED + 10), REMEMBERED]:
        popular.seen(viewer)
    assert popular.most(1) == [(REMEMBERED, 2)]
    assert len(popular.most(10**6)) == REMEMBERED
