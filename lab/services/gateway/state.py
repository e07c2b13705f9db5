"""What operators have set: one value, replaced as a whole, on disk before anyone is told it is so."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from lab import names
from lab.durable import write_json
from lab.errors import LabError, SpecError, UsageError
from lab.services.breaker import MODES, OFF
from lab.services.feed.options import DEFAULT_TTL_SECONDS, LEAST_TTL_SECONDS, MOST_TTL_SECONDS, FeedOptions
from lab.services.gateway import flags
from lab.services.gateway.limits import Quota
from lab.services.gateway.priority import RATIOS, Shed
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
    return replace(state, weight_percent=number_in(body, "weight_percent", 0, 100))


def with_flag(state: State, name: str, body: dict[str, Any]) -> State:
    """{"enabled": bool}; LookupError for an unknown flag."""
    if name not in state.flags:
        raise LookupError(f"no flag {name!r}; there are {', '.join(state.flags)}")
    if not isinstance(body.get("enabled"), bool):
        raise UsageError(f"enabled: {body.get('enabled')!r} is not true or false")
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
            raise UsageError(f"on: {causes!r} is not a list of {', '.join(CAUSES)}")
        changed["on"] = tuple(cause for cause in CAUSES if cause in causes)
    return replace(state, retry=replace(state.retry, **changed))


def with_breakers(state: State, body: dict[str, Any]) -> State:
    """Mode by upstream: off, auto or open; the rest stay."""
    _known(body, list(UPSTREAMS))
    for name, mode in body.items():
        if mode not in MODES:
            raise UsageError(f"{name}: {mode!r} is not a mode of a breaker; there are {', '.join(MODES)}")
    return replace(state, breakers={**state.breakers, **body})


def with_cache(state: State, body: dict[str, Any]) -> State:
    """{"feed_ttl_seconds": 1..86400}"""
    _known(body, ["feed_ttl_seconds"])
    if not body:
        return state
    return replace(state, feed_ttl_seconds=number_in(body, "feed_ttl_seconds", LEAST_TTL_SECONDS, MOST_TTL_SECONDS))


def with_timeouts(state: State, body: dict[str, Any]) -> State:
    """Seconds by upstream; the rest stay."""
    _known(body, list(UPSTREAMS))
    return replace(
        state, timeouts_seconds={**state.timeouts_seconds, **{key: number_in(body, key, 0.05, 60) for key in body}}
    )


def with_upstream(state: State, name: str, body: dict[str, Any]) -> State:
    """{"urls": [base URL, …]}; LookupError for an unknown upstream."""
    if name not in state.upstreams:
        raise LookupError(f"no upstream {name!r}; there are {', '.join(state.upstreams)}")
    _known(body, ["urls"])
    urls = body.get("urls")
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls) or len(urls) > MAX_URLS:
        raise UsageError(f"urls: not a list of at most {MAX_URLS} base URLs")
    return replace(state, upstreams={**state.upstreams, name: tuple(checked_url(url, "urls") for url in urls)})


class Store:
    """The current state. `change` is durable when it returns; `kill -9` at any moment leaves the old or the new."""

    def __init__(self, directory: Path, first: State) -> None:
        self._file = directory / "gateway.json"
        self._lock = threading.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            text = self._file.read_text(encoding="utf-8") if self._file.exists() else ""
        except OSError as problem:
            raise LabError(f"cannot use the state directory {directory}: {problem.strerror}; check its owner") from None
        self.state = self._parse(text, first) if text else first

    def change(self, step: Any, *values: Any) -> tuple[State, State]:
        """Applies step(state, *values), one change at a time; returns the state before and after."""
        with self._lock:
            old = self.state
            new: State = step(old, *values)
            self._write(new)
            self.state = new
            return old, new

    def _parse(self, text: str, first: State) -> State:
        try:
            told = json.loads(text)
            state = with_weight(first, told["canary"])
            for name, flag in told["flags"].items():
                # A flag that this version does not know any more is no reason not to start.
                state = with_flag(state, name, flag) if name in state.flags else state
            state = with_shed(with_timeouts(with_ratelimit(state, told["ratelimit"]), told["timeouts"]), told["shed"])
            # Written by a version that did not know them yet, a state has no word about these.
            state = with_retry(state, told.get("retry", {}))
            state = with_cache(with_breakers(state, told.get("breakers", {})), told.get("cache", {}))
            for name, urls in told["upstreams"].items():
                state = with_upstream(state, name, {"urls": urls})
        except (ValueError, LookupError, TypeError, AttributeError, UsageError) as problem:
            raise SpecError(
                self._file, f"not the state of a gateway ({problem}); move it away to start afresh"
            ) from None
        return state

    def _write(self, state: State) -> None:
        try:
            write_json(self._file, state.public())
        except OSError as problem:
            raise LabError(f"cannot write {self._file}: {problem.strerror}; nothing was changed") from None


def _whole(body: dict[str, Any], key: str, low: int, high: int) -> int:
    value = number_in(body, key, low, high)
    if value != int(value):
        raise UsageError(f"{key}: {value!r} is not a whole number")
    return int(value)


def _known(body: dict[str, Any], keys: list[str]) -> None:
    for key in body:
        if key not in keys:
            raise UsageError(f"unknown key {key!r}; known: {', '.join(keys)}")
