"""The gateway's arithmetic: buckets, the split, and the state that outlives it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import LabError, UsageError
from lab.services.gateway import state as steps
from lab.services.gateway.canary_split import place, to_canary
from lab.services.gateway.rate_limit import CLIENTS_KEPT, Quota, RateLimiter, TokenBucket
from lab.services.gateway.state import State
from lab.services.gateway.store import Store


@given(
    rate=st.floats(0.5, 500),
    burst=st.floats(1, 500),
    gaps=st.lists(st.floats(0, 5), min_size=1, max_size=200),
)
def test_a_bucket_never_gives_more_than_burst_and_rate_allow(rate: float, burst: float, gaps: list[float]) -> None:
    bucket, now, taken = TokenBucket(rate, burst, burst, 0.0), 0.0, 0
    for gap in gaps:
        now += gap
        taken += bucket.take(now) == 0
        assert taken <= burst + rate * now + 1e-6


@given(rate=st.floats(0.5, 500), burst=st.floats(1, 50))
def test_after_the_wait_that_was_told_the_bucket_gives(rate: float, burst: float) -> None:
    bucket, now = TokenBucket(rate, burst, burst, 0.0), 0.0
    while (wait := bucket.take(now)) == 0:
        pass
    assert bucket.take(now + wait + 1e-6) == 0


def test_a_client_over_its_own_quota_takes_nothing_from_the_others() -> None:
    limiter = RateLimiter(Quota(global_per_second=10, global_burst=10, client_per_second=1, client_burst=2))
    assert [limiter.take("greedy", 1.0)[0] for _ in range(20)] == ["", ""] + ["client"] * 18
    assert [limiter.take(f"other-{n}", 1.0)[0] for n in range(9)] == [""] * 8 + ["global"]


def test_clients_are_forgotten_before_memory_is_short() -> None:
    limiter = RateLimiter(Quota())
    for number in range(CLIENTS_KEPT + 50):
        limiter.take(f"client-{number}", 1.0)
    assert len(limiter._clients) == CLIENTS_KEPT


@given(client=st.text(max_size=64), low=st.floats(0, 100), high=st.floats(0, 100))
def test_who_goes_to_the_canary_at_some_weight_goes_at_every_higher_one(client: str, low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert to_canary(client, low) <= to_canary(client, high)
    assert not to_canary(client, 0)
    assert to_canary(client, 100)
    assert place(client) == place(client)


@pytest.mark.parametrize("weight", [1, 10, 50, 90])
def test_the_share_of_clients_is_the_weight(weight: float) -> None:
    clients = 20_000
    share = sum(to_canary(f"client-{number}", weight) for number in range(clients)) / clients * 100
    assert abs(share - weight) < 1.5


def test_what_was_set_is_there_after_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path, State())
    store.change(steps.with_weight, {"weight_percent": 12.5})
    store.change(steps.with_flag, "feed", {"enabled": False})
    store.change(steps.with_shed, {"max_inflight": 7, "guest_ratio": 0.1})
    store.change(steps.with_retry, {"max_retries": 3, "budget_ratio": 0.2, "on": ["timeout"]})
    store.change(steps.with_breakers, {"user": "auto"})
    store.change(steps.with_cache, {"feed_ttl_seconds": 60})
    store.change(steps.with_timeouts, {"user": 0.3})
    store.change(steps.with_ratelimit, {"client_per_second": 3})
    store.change(steps.with_upstream, "feed", {"urls": ["http://127.0.0.1:1/"]})
    again = Store(tmp_path, State(upstreams={"user": (), "feed": ("http://127.0.0.1:9",), "feed-canary": ()}))
    assert again.state == store.state
    assert again.state.upstreams["feed"] == ("http://127.0.0.1:1",)


def test_a_flag_of_another_version_is_no_reason_not_to_start(tmp_path: Path) -> None:
    store = Store(tmp_path, State())
    store.change(steps.with_weight, {"weight_percent": 5})
    file = tmp_path / "gateway.json"
    told = json.loads(file.read_text())
    told["flags"]["gone"] = {"enabled": False}
    file.write_text(json.dumps(told))
    assert Store(tmp_path, State()).state.weight_percent == 5


def test_a_state_of_an_older_version_is_taken_up_with_the_defaults_of_what_it_does_not_say(tmp_path: Path) -> None:
    store = Store(tmp_path, State())
    store.change(steps.with_shed, {"max_inflight": 7})
    file = tmp_path / "gateway.json"
    told = json.loads(file.read_text())
    for part in ("retry", "breakers", "cache"):
        del told[part]
    told["shed"] = {"max_inflight": 7}
    file.write_text(json.dumps(told))
    assert Store(tmp_path, State()).state == store.state


def test_a_directory_that_cannot_be_written_refuses_the_change_and_keeps_the_old(tmp_path: Path) -> None:
    store = Store(tmp_path, State())
    (tmp_path / "gateway.json").mkdir()  # root may write into any directory, but not over one
    with pytest.raises(LabError, match="nothing was changed"):
        store.change(steps.with_weight, {"weight_percent": 5})
    assert store.state == State()


@pytest.mark.parametrize(
    ("step", "body"),
    [
        (steps.with_weight, {"weight_percent": "50"}),
        (steps.with_weight, {"weight_percent": -1}),
        (steps.with_weight, {"weight_percent": 101}),
        (steps.with_weight, {"weight_percent": float("nan")}),
        (steps.with_weight, {"weight_percent": True}),
        (steps.with_shed, {"max_inflight": 0}),
        (steps.with_shed, {"max_inflight": 1.5}),
        (steps.with_shed, {"guest_ratio": 1.1}),
        (steps.with_shed, {"feed_read_ratio": 0.5}),
        (steps.with_retry, {"max_retries": 6}),
        (steps.with_retry, {"on": ["always"]}),
        (steps.with_retry, {"on": "timeout"}),
        (steps.with_breakers, {"db": "open"}),
        (steps.with_breakers, {"user": "ajar"}),
        (steps.with_cache, {"feed_ttl_seconds": 0}),
        (steps.with_ratelimit, {"client_per_second": 0}),
        (steps.with_ratelimit, {"per_day": 1}),
        (steps.with_timeouts, {"db": 1}),
        (steps.with_timeouts, {"user": 0}),
    ],
)
def test_a_value_out_of_bounds_is_refused(step: object, body: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        step(State(), body)  # type: ignore[operator]


def test_the_kill_switch_outranks_the_weight() -> None:
    state = steps.with_weight(State(), {"weight_percent": 50})
    assert state.canary_weight() == 50
    assert steps.with_flag(state, "canary", {"enabled": False}).canary_weight() == 0
