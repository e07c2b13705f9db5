"""What operators can set: one immutable value, and a step that checks and makes each change to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from lab import names
from lab.errors import UsageError
from lab.services.breaker import MODES, OFF
from lab.services.feed.options import DEFAULT_TTL_SECONDS, MAX_TTL_SECONDS, MIN_TTL_SECONDS, FeedOptions
from lab.services.gateway import flags
from lab.services.gateway.priority import RATIOS, Shed
from lab.services.gateway.rate_limit import Quota
from lab.services.retry import CAUSES, MAX_RETRIES, RetryPolicy
from lab.telemetry.body import number_in
from lab.telemetry.settings import checked_url

UPSTREAMS = (names.UPSTREAM_USER, names.UPSTREAM_FEED, names.UPSTREAM_CANARY)
MAX_URLS = 32

# The feed's patience is longer than a page of the canary takes, so that it is slow and not broken.
DEFAULT_TIMEOUTS_SECONDS = {names.UPSTREAM_USER: 1.0, names.UPSTREAM_FEED: 3.0, names.UPSTREAM_CANARY: 3.0}


@dataclass(frozen=True)
class State:
    """Every setting of the gateway that can change while it runs."""

    weight_percent: float = 0.0
    flags: dict[str, bool] = field(default_factory=lambda: dict(flags.DEFAULTS))
    ratelimit: Quota = field(default_factory=Quota)
    shed: Shed = field(default_factory=Shed)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    breakers: dict[str, str] = field(default_factory=lambda: dict.fromkeys(UPSTREAMS, OFF))
    feed_ttl_seconds: float = DEFAULT_TTL_SECONDS
    timeouts_seconds: dict[str, float] = field(default_factory=lambda: dict(DEFAULT_TIMEOUTS_SECONDS))
    upstreams: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict.fromkeys(UPSTREAMS, ()))

    def canary_weight(self) -> float:
        """The weight that holds: 0 while the kill switch is off."""
        return self.weight_percent if self.flags[flags.CANARY] else 0.0

    def feed_options(self) -> FeedOptions:
        """How the feed is to make its pages."""
        return FeedOptions(
            profiles=self.flags[flags.FEED_PROFILES],
            serve_stale=self.flags[flags.SERVE_STALE],
            single_flight=self.flags[flags.SINGLE_FLIGHT],
            ttl_seconds=self.feed_ttl_seconds,
        )

    def public(self) -> dict[str, Any]:
        """As GET /admin/state answers it, and as it lies on disk."""
        return {
            "canary": {"weight_percent": self.weight_percent},
            "flags": {name: {"enabled": on, "help": flags.HELP[name]} for name, on in self.flags.items()},
            "ratelimit": asdict(self.ratelimit),
            "shed": asdict(self.shed),
            "retry": {**asdict(self.retry), "on": list(self.retry.on)},
            "breakers": dict(self.breakers),
            "cache": {"feed_ttl_seconds": self.feed_ttl_seconds},
            "timeouts": dict(self.timeouts_seconds),
            "upstreams": {name: list(urls) for name, urls in self.upstreams.items()},
        }


def with_weight(state: State, body: dict[str, Any]) -> State:
    """{"weight_percent": 0..100}"""
    _known(body, ["weight_percent"])
    return replace(state, weight_percent=number_in(body, "weight_percent", 0, 100))


def with_flag(state: State, name: str, body: dict[str, Any]) -> State:
    """{"enabled": bool}; LookupError for an unknown flag."""
    if name not in state.flags:
        raise LookupError(f"no flag {name!r:.80}; there are {', '.join(state.flags)}")
    _known(body, ["enabled", "help"])  # the help is ours, written beside it
    if not isinstance(body.get("enabled"), bool):
        raise UsageError(f"enabled: {body.get('enabled')!r:.80} is not true or false")
    return replace(state, flags={**state.flags, name: body["enabled"]})


def with_ratelimit(state: State, body: dict[str, Any]) -> State:
    """Any of the quota's four numbers; the rest stay."""
    _known(body, [one.name for one in fields(Quota)])
    return replace(
        state, ratelimit=replace(state.ratelimit, **{key: number_in(body, key, 1, 1_000_000) for key in body})
    )


def with_shed(state: State, body: dict[str, Any]) -> State:
    """{"max_inflight": 1..10000} and the share of it for each lower priority, 0..1; the rest stay."""
    _known(body, ["max_inflight", *RATIOS])
    changed: dict[str, Any] = {key: number_in(body, key, 0, 1) for key in RATIOS if key in body}
    if "max_inflight" in body:
        changed["max_inflight"] = _whole(body, "max_inflight", 1, 10_000)
    return replace(state, shed=replace(state.shed, **changed))


def with_retry(state: State, body: dict[str, Any]) -> State:
    """Any of the policy: {"max_retries": 0..5, "budget_ratio": 0..5, "on": [cause, …]}; the rest stay."""
    _known(body, [one.name for one in fields(RetryPolicy)])
    changed: dict[str, Any] = {}
    if "max_retries" in body:
        changed["max_retries"] = _whole(body, "max_retries", 0, MAX_RETRIES)
    if "budget_ratio" in body:
        changed["budget_ratio"] = number_in(body, "budget_ratio", 0, MAX_RETRIES)
    if "on" in body:
        causes = body["on"]
        if not isinstance(causes, list) or any(cause not in CAUSES for cause in causes):
            raise UsageError(f"on: {causes!r:.80} is not a list of {', '.join(CAUSES)}")
        changed["on"] = tuple(cause for cause in CAUSES if cause in causes)
    return replace(state, retry=replace(state.retry, **changed))


def with_breakers(state: State, body: dict[str, Any]) -> State:
    """Mode by upstream: off, auto or open; the rest stay."""
    _known(body, list(UPSTREAMS))
    for name, mode in body.items():
        if mode not in MODES:
            raise UsageError(f"{name}: {mode!r:.80} is not a mode of a breaker; there are {', '.join(MODES)}")
    return replace(state, breakers={**state.breakers, **body})


def with_cache(state: State, body: dict[str, Any]) -> State:
    """{"feed_ttl_seconds": 1..86400}"""
    _known(body, ["feed_ttl_seconds"])
    if not body:
        return state
    return replace(state, feed_ttl_seconds=number_in(body, "feed_ttl_seconds", MIN_TTL_SECONDS, MAX_TTL_SECONDS))


def with_timeouts(state: State, body: dict[str, Any]) -> State:
    """Seconds by upstream; the rest stay."""
    _known(body, list(UPSTREAMS))
    return replace(
        state, timeouts_seconds={**state.timeouts_seconds, **{key: number_in(body, key, 0.05, 60) for key in body}}
    )


def with_upstream(state: State, name: str, body: dict[str, Any]) -> State:
    """{"urls": [base URL, …]}; LookupError for an unknown upstream."""
    if name not in state.upstreams:
        raise LookupError(f"no upstream {name!r:.80}; there are {', '.join(state.upstreams)}")
    _known(body, ["urls"])
    urls = body.get("urls")
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls) or len(urls) > MAX_URLS:
        raise UsageError(f"urls: not a list of at most {MAX_URLS} base URLs")
    return replace(state, upstreams={**state.upstreams, name: tuple(checked_url(url, "urls") for url in urls)})


# Parts that are changed by a body of what to set; the rest of a part stays.
PARTS: dict[str, Callable[[State, dict[str, Any]], State]] = {
    "canary": with_weight,
    "ratelimit": with_ratelimit,
    "shed": with_shed,
    "retry": with_retry,
    "breakers": with_breakers,
    "cache": with_cache,
    "timeouts": with_timeouts,
}


def _whole(body: dict[str, Any], key: str, low: int, high: int) -> int:
    value = number_in(body, key, low, high)
    if value != int(value):
        raise UsageError(f"{key}: {value!r:.80} is not a whole number")
    return int(value)


def _known(body: dict[str, Any], keys: list[str]) -> None:
    if not isinstance(body, dict):  # a request's body is one; what lies on disk may be anything
        raise UsageError("is not an object")
    for key in body:
        if key not in keys:
            raise UsageError(f"unknown key {key!r:.80}; known: {', '.join(keys)}")
