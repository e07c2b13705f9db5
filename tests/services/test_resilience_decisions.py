"""Retry budgets, circuit breakers, priorities and heavy clients: pure functions of the time that tests pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import names
from lab.services.breaker import AUTO, CLOSED, HALF_OPEN, MIN_CALLS, OFF, OPEN, REST_SECONDS, WINDOW_SECONDS, Breaker
from lab.services.feed import options
from lab.services.feed.hot_feeds import MAX_VIEWERS, HotFeeds
from lab.services.feed.options import FeedOptions
from lab.services.gateway.heavy_hitters import HEAVY_PER_SECOND, MAX_NAMED, OTHER, HeavyClients
from lab.services.gateway.priority import ANONYMOUS, FEED_READ, PRIORITIES, USER_READ, WRITE, Shed, priority_of
from lab.services.retry import MIN_PER_SECOND, RetryBudget, RetryPolicy
from lab.services.retry import WINDOW_SECONDS as BUDGET_SECONDS


@given(
    ratio=st.floats(0, 2),
    events=st.lists(st.tuples(st.floats(0, 3), st.booleans()), min_size=1, max_size=300),
)
def test_no_window_has_more_retries_than_the_budget_allows(ratio: float, events: list[tuple[float, bool]]) -> None:
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
        # The window counts whole seconds, so it covers at least its length less one second.
        recent_retries = [at for at in retries if at > now - BUDGET_SECONDS + 1]
        recent_requests = [at for at in requests if at > now - BUDGET_SECONDS]
        assert len(recent_retries) <= ratio * len(recent_requests) + MIN_PER_SECOND * BUDGET_SECONDS + 1e-9


def test_when_every_request_fails_the_budget_limits_the_retries() -> None:
    """100 requests per second with three retries each, for 20 seconds."""
    budget, sent = RetryBudget(), 0
    for step in range(2000):
        now = step / 100
        budget.request(now)
        sent += sum(budget.take(now, 0.1) for _ in range(3))
    assert 0.1 * 2000 <= sent <= 0.1 * 2000 + 2 * MIN_PER_SECOND * BUDGET_SECONDS


def test_a_policy_allows_its_causes_up_to_its_maximum() -> None:
    policy = RetryPolicy(max_retries=2, on=("timeout",))
    assert [policy.allows("timeout", made) for made in range(4)] == [True, True, False, False]
    assert not policy.allows("unavailable", 0)


def failing(breaker: Breaker, calls: int, at: float) -> None:
    for _ in range(calls):
        breaker.record(False, at)


def test_a_breaker_opens_when_half_of_enough_calls_fail_and_admits_one_probe_later() -> None:
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
    assert breaker.state(again) == CLOSED, "earlier failures no longer count"


def test_few_failures_among_many_calls_leave_a_breaker_closed_and_old_ones_do_not_count() -> None:
    breaker = Breaker(AUTO)
    failing(breaker, MIN_CALLS - 1, 0.0)
    for _ in range(MIN_CALLS):
        breaker.record(True, WINDOW_SECONDS + 1)
    failing(breaker, MIN_CALLS - 1, WINDOW_SECONDS + 1)
    assert breaker.state(WINDOW_SECONDS + 1) == CLOSED


def test_a_late_response_to_an_earlier_call_does_not_close_an_open_breaker() -> None:
    breaker = Breaker(AUTO)
    failing(breaker, MIN_CALLS, 1.0)
    breaker.record(True, 2.0)
    assert breaker.state(2.0) == OPEN


def test_a_probe_without_an_outcome_does_not_keep_the_breaker_open_for_ever() -> None:
    breaker = Breaker(AUTO)
    failing(breaker, MIN_CALLS, 1.0)
    assert breaker.admit(1.0 + REST_SECONDS)
    assert breaker.admit(1.0 + 2 * REST_SECONDS)


def test_the_operators_mode_overrides_the_counts() -> None:
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
        ("GET", names.ROUTE_FEED, None, ANONYMOUS),
        ("PUT", names.ROUTE_USER, "guest-7", ANONYMOUS),
    ],
)
def test_the_priority_depends_on_route_method_and_client(
    method: str, route: str, client: str | None, priority: str
) -> None:
    assert priority_of(method, route, client) == priority


@given(max_inflight=st.integers(1, 10_000), ratios=st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_feed_reads_have_the_full_limit_and_no_priority_has_more(max_inflight: int, ratios: list[float]) -> None:
    shed = Shed(max_inflight, *ratios)
    assert shed.limit(FEED_READ) == max_inflight
    assert all(0 <= shed.limit(priority) <= max_inflight for priority in PRIORITIES)


def test_by_default_lower_priorities_have_lower_limits() -> None:
    limits = [Shed().limit(priority) for priority in PRIORITIES]
    assert limits == sorted(limits, reverse=True)
    assert len(set(limits)) == len(limits)


def test_only_heavy_clients_are_named_and_their_number_is_limited() -> None:
    clients = HeavyClients()
    assert {clients.label(f"client-{n}", 1.0) for n in range(1000)} == {OTHER}
    assert [clients.label("greedy", 1.5) for _ in range(HEAVY_PER_SECOND + 2)][-2:] == ["greedy", "greedy"]
    assert clients.label("greedy", 9.0) == "greedy", "it stays named"
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
def test_feed_options_round_trip_through_baggage(sent: FeedOptions) -> None:
    assert options.read(f"userId=7,{sent.baggage()};meta=x" if sent.baggage() else None) == sent


@pytest.mark.parametrize("header", ["", "x", "feed.profiles", "feed.ttl_seconds=-1", "feed.ttl_seconds=nan", "a=b,,;"])
def test_invalid_baggage_is_ignored(header: str) -> None:
    assert options.read(header) == FeedOptions()
    assert FeedOptions().baggage() == ""


def test_the_most_requested_feeds_are_counted_with_bounded_memory() -> None:
    hot_feeds = HotFeeds()
    for viewer in [*range(1, MAX_VIEWERS + 10), MAX_VIEWERS]:
        hot_feeds.record(viewer)
    assert hot_feeds.top(1) == [(MAX_VIEWERS, 2)]
    assert len(hot_feeds.top(10**6)) == MAX_VIEWERS
