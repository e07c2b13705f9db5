"""The gateway's pure functions: token buckets, the canary split and the stored state."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import LabError, UsageError
from lab.services.gateway import state as steps
from lab.services.gateway.canary_split import position, to_canary
from lab.services.gateway.rate_limit import MAX_CLIENTS, Quota, RateLimiter, TokenBucket
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
def test_after_the_returned_wait_the_bucket_has_a_token(rate: float, burst: float) -> None:
    bucket, now = TokenBucket(rate, burst, burst, 0.0), 0.0
    while (wait := bucket.take(now)) == 0:
        pass
    assert bucket.take(now + wait + 1e-6) == 0


def test_a_client_over_its_own_limit_takes_nothing_from_others() -> None:
    limiter = RateLimiter(Quota(global_per_second=10, global_burst=10, client_per_second=1, client_burst=2))
    assert [limiter.take("greedy", 1.0)[0] for _ in range(20)] == ["", ""] + ["client"] * 18
    assert [limiter.take(f"other-{n}", 1.0)[0] for n in range(9)] == [""] * 8 + ["global"]


def test_the_number_of_tracked_clients_is_limited() -> None:
    limiter = RateLimiter(Quota())
    for number in range(MAX_CLIENTS + 50):
        limiter.take(f"client-{number}", 1.0)
    assert len(limiter._clients) == MAX_CLIENTS


@given(client=st.text(max_size=64), low=st.floats(0, 100), high=st.floats(0, 100))
def test_a_client_of_the_canary_stays_with_it_at_higher_weights(client: str, low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert to_canary(client, low) <= to_canary(client, high)
    assert not to_canary(client, 0)
    assert to_canary(client, 100)
    assert position(client) == position(client)


@pytest.mark.parametrize("weight", [1, 10, 50, 90])
def test_the_share_of_clients_equals_the_weight(weight: float) -> None:
    clients = 20_000
    share = sum(to_canary(f"client-{number}", weight) for number in range(clients)) / clients * 100
    assert abs(share - weight) < 1.5


def test_settings_survive_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path, State())
    store.change(steps.with_canary, {"weight_percent": 12.5})
    store.change(steps.with_flag, "feed", {"enabled": False})
    store.change(steps.with_shed, {"max_inflight": 7, "guest_ratio": 0.1})
    store.change(steps.with_retry, {"max_retries": 3, "budget_ratio": 0.2, "on": ["timeout"]})
    store.change(steps.with_breakers, {"user": "auto"})
    store.change(steps.with_cache, {"feed_ttl_seconds": 60})
    store.change(steps.with_timeouts, {"user": 0.3})
    store.change(steps.with_ratelimit, {"client_per_second": 3})
    store.change(steps.with_upstream, "feed", {"urls": ["http://127.0.0.1:1/"]})
    restarted = Store(tmp_path, State(upstreams={"user": (), "feed": ("http://127.0.0.1:9",), "feed-canary": ()}))
    assert restarted.state == store.state
    assert restarted.state.upstreams["feed"] == ("http://127.0.0.1:1",)


def test_an_unknown_flag_in_the_file_is_ignored(tmp_path: Path) -> None:
    store = Store(tmp_path, State())
    store.change(steps.with_canary, {"weight_percent": 5})
    file = tmp_path / "gateway.json"
    stored = json.loads(file.read_text())
    stored["flags"]["gone"] = {"enabled": False}
    file.write_text(json.dumps(stored))
    assert Store(tmp_path, State()).state.weight_percent == 5


def test_parts_that_a_file_of_an_older_version_lacks_have_their_defaults(tmp_path: Path) -> None:
    store = Store(tmp_path, State())
    store.change(steps.with_shed, {"max_inflight": 7})
    file = tmp_path / "gateway.json"
    stored = json.loads(file.read_text())
    for part in ("retry", "breakers", "cache"):
        del stored[part]
    stored["shed"] = {"max_inflight": 7}
    file.write_text(json.dumps(stored))
    assert Store(tmp_path, State()).state == store.state


def test_a_change_that_cannot_be_written_is_refused_and_the_old_state_stays(tmp_path: Path) -> None:
    store = Store(tmp_path, State())
    (tmp_path / "gateway.json").mkdir()  # even root cannot replace a directory with a file
    with pytest.raises(LabError, match="nothing was changed"):
        store.change(steps.with_canary, {"weight_percent": 5})
    assert store.state == State()


@pytest.mark.parametrize(
    ("step", "body"),
    [
        (steps.with_canary, {"weight_percent": "50"}),
        (steps.with_canary, {"weight_percent": -1}),
        (steps.with_canary, {"weight_percent": 101}),
        (steps.with_canary, {"weight_percent": float("nan")}),
        (steps.with_canary, {"weight_percent": True}),
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


def test_the_kill_switch_overrides_the_weight() -> None:
    state = steps.with_canary(State(), {"weight_percent": 50})
    assert state.canary_weight() == 50
    assert steps.with_flag(state, "canary", {"enabled": False}).canary_weight() == 0
