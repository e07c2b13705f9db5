"""The gateway's settings: one immutable value, and functions that validate and make each change to it.

Each with_… function takes the body of a request and returns the changed state. It raises UsageError for an invalid
value, and LookupError for an unknown flag or upstream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from lab import names
from lab.errors import UsageError
from lab.services.breaker import MODES, OFF
from lab.services.feed.options import DEFAULT_TTL_SECONDS, MAX_TTL_SECONDS, MIN_TTL_SECONDS, FeedOptions
from lab.services.gateway import comparison, flags
from lab.services.gateway.priority import RATIOS, Shed
from lab.services.gateway.rate_limit import Quota
from lab.services.retry import CAUSES, MAX_RETRIES, RetryPolicy
from lab.telemetry.body import JsonObject, number_in
from lab.telemetry.settings import checked_url

UPSTREAMS = (names.UPSTREAM_USER, names.UPSTREAM_FEED, names.UPSTREAM_CANARY)
MAX_URLS = 32
MAX_SALT = 64

# The feed's timeout is longer than the canary takes for a feed, so that the canary is slow and not failing.
DEFAULT_TIMEOUTS_SECONDS = {names.UPSTREAM_USER: 1.0, names.UPSTREAM_FEED: 3.0, names.UPSTREAM_CANARY: 3.0}


@dataclass(frozen=True)
class State:
    """Every setting of the gateway that can be changed at run time."""

    weight_percent: float = 0.0
    canary_salt: str = ""
    flags: dict[str, bool] = field(default_factory=lambda: dict(flags.DEFAULTS))
    ratelimit: Quota = field(default_factory=Quota)
    shed: Shed = field(default_factory=Shed)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    breakers: dict[str, str] = field(default_factory=lambda: dict.fromkeys(UPSTREAMS, OFF))
    feed_ttl_seconds: float = DEFAULT_TTL_SECONDS
    timeouts_seconds: dict[str, float] = field(default_factory=lambda: dict(DEFAULT_TIMEOUTS_SECONDS))
    comparison: comparison.Step = field(default_factory=comparison.Step)
    upstreams: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict.fromkeys(UPSTREAMS, ()))

    def canary_weight(self) -> float:
        """The effective weight in percent: 0 while the kill switch is off."""
        return self.weight_percent if self.flags[flags.CANARY] else 0.0

    def feed_options(self) -> FeedOptions:
        """The options for building feeds."""
        return FeedOptions(
            profiles=self.flags[flags.FEED_PROFILES],
            serve_stale=self.flags[flags.SERVE_STALE],
            single_flight=self.flags[flags.SINGLE_FLIGHT],
            ttl_seconds=self.feed_ttl_seconds,
        )

    def public(self) -> dict[str, Any]:
        """The state as JSON, for GET /admin/state and for the file on disk."""
        return {
            "canary": {"weight_percent": self.weight_percent, "salt": self.canary_salt},
            "flags": {name: {"enabled": on, "help": flags.HELP[name]} for name, on in self.flags.items()},
            "ratelimit": asdict(self.ratelimit),
            "shed": asdict(self.shed),
            "retry": {**asdict(self.retry), "on": list(self.retry.on)},
            "breakers": dict(self.breakers),
            "cache": {"feed_ttl_seconds": self.feed_ttl_seconds},
            "timeouts": dict(self.timeouts_seconds),
            "comparison": self.comparison.public(),
            "upstreams": {name: list(urls) for name, urls in self.upstreams.items()},
        }


def with_canary(state: State, body: JsonObject) -> State:
    """Any of {"weight_percent": 0..100, "salt": string}; the other keeps its value."""
    _check_keys(body, ["weight_percent", "salt"])
    salt = body.get("salt", state.canary_salt)
    if not isinstance(salt, str) or len(salt) > MAX_SALT:
        raise UsageError(f"salt: {salt!r:.80} must be a string of at most {MAX_SALT} characters")
    weight = number_in(body, "weight_percent", 0, 100) if "weight_percent" in body else state.weight_percent
    return replace(state, weight_percent=weight, canary_salt=salt)


def with_comparison(state: State, body: JsonObject) -> State:
    """The step to count for, as a whole: {"step": string, "slos": {id: events}, "replica": {"upstream", "url"}}."""
    _check_keys(body, ["step", "slos", "replica"])
    return replace(state, comparison=comparison.read(body))


def with_flag(state: State, name: str, body: JsonObject) -> State:
    """{"enabled": bool}; LookupError for an unknown flag."""
    if name not in state.flags:
        raise LookupError(f"no flag {name!r:.80}; there are {', '.join(state.flags)}")
    _check_keys(body, ["enabled", "help"])  # the file on disk contains the help text too
    if not isinstance(body.get("enabled"), bool):
        raise UsageError(f"enabled: {body.get('enabled')!r:.80} is not true or false")
    return replace(state, flags={**state.flags, name: body["enabled"]})


def with_ratelimit(state: State, body: JsonObject) -> State:
    """Any of the four fields of Quota; the others keep their values."""
    _check_keys(body, [limit.name for limit in fields(Quota)])
    return replace(
        state, ratelimit=replace(state.ratelimit, **{key: number_in(body, key, 1, 1_000_000) for key in body})
    )


def with_shed(state: State, body: JsonObject) -> State:
    """Any of "max_inflight": 1..10000 and its ratio for each lower priority, 0..1; the others keep their values."""
    _check_keys(body, ["max_inflight", *RATIOS])
    changed: dict[str, Any] = {key: number_in(body, key, 0, 1) for key in RATIOS if key in body}
    if "max_inflight" in body:
        changed["max_inflight"] = _integer_in(body, "max_inflight", 1, 10_000)
    return replace(state, shed=replace(state.shed, **changed))


def with_retry(state: State, body: JsonObject) -> State:
    """Any of {"max_retries": 0..5, "budget_ratio": 0..5, "on": [cause, …]}; the others keep their values."""
    _check_keys(body, [setting.name for setting in fields(RetryPolicy)])
    changed: dict[str, Any] = {}
    if "max_retries" in body:
        changed["max_retries"] = _integer_in(body, "max_retries", 0, MAX_RETRIES)
    if "budget_ratio" in body:
        changed["budget_ratio"] = number_in(body, "budget_ratio", 0, MAX_RETRIES)
    if "on" in body:
        causes = body["on"]
        if not isinstance(causes, list) or any(cause not in CAUSES for cause in causes):
            raise UsageError(f"on: {causes!r:.80} is not a list of {', '.join(CAUSES)}")
        changed["on"] = tuple(cause for cause in CAUSES if cause in causes)
    return replace(state, retry=replace(state.retry, **changed))


def with_breakers(state: State, body: JsonObject) -> State:
    """Modes (off, auto or open) by upstream; the others keep theirs."""
    _check_keys(body, list(UPSTREAMS))
    for name, mode in body.items():
        if mode not in MODES:
            raise UsageError(f"{name}: {mode!r:.80} is not a mode of a breaker; choose from {', '.join(MODES)}")
    return replace(state, breakers={**state.breakers, **body})


def with_cache(state: State, body: JsonObject) -> State:
    """{"feed_ttl_seconds": 1..86400}"""
    _check_keys(body, ["feed_ttl_seconds"])
    if not body:
        return state
    return replace(state, feed_ttl_seconds=number_in(body, "feed_ttl_seconds", MIN_TTL_SECONDS, MAX_TTL_SECONDS))


def with_timeouts(state: State, body: JsonObject) -> State:
    """Timeouts in seconds by upstream; the others keep theirs."""
    _check_keys(body, list(UPSTREAMS))
    return replace(
        state, timeouts_seconds={**state.timeouts_seconds, **{key: number_in(body, key, 0.05, 60) for key in body}}
    )


def with_upstream(state: State, name: str, body: JsonObject) -> State:
    """{"urls": [base URL, …]}; LookupError for an unknown upstream."""
    if name not in state.upstreams:
        raise LookupError(f"no upstream {name!r:.80}; there are {', '.join(state.upstreams)}")
    _check_keys(body, ["urls"])
    urls = body.get("urls")
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls) or len(urls) > MAX_URLS:
        raise UsageError(f"urls: must be a list of at most {MAX_URLS} base URLs")
    return replace(state, upstreams={**state.upstreams, name: tuple(checked_url(url, "urls") for url in urls)})


# The parts that PUT /admin/PART changes; keys that the body does not contain keep their values.
PARTS: dict[str, Callable[[State, JsonObject], State]] = {
    "canary": with_canary,
    "comparison": with_comparison,
    "ratelimit": with_ratelimit,
    "shed": with_shed,
    "retry": with_retry,
    "breakers": with_breakers,
    "cache": with_cache,
    "timeouts": with_timeouts,
}


def _integer_in(body: JsonObject, key: str, low: int, high: int) -> int:
    value = number_in(body, key, low, high)
    if value != int(value):
        raise UsageError(f"{key}: {value!r:.80} is not a whole number")
    return int(value)


def _check_keys(body: JsonObject, keys: list[str]) -> None:
    if not isinstance(body, dict):  # possible in the file on disk; a request body is always an object
        raise UsageError("is not an object")
    for key in body:
        if key not in keys:
            raise UsageError(f"unknown key {key!r:.80}; known: {', '.join(keys)}")
