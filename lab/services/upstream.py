"""Calls another service: connection pools, round robin over replicas, ejection of a failed replica, retries.

A call is retried on another replica when the policy allows it (retry.py) and the request either cannot have been
processed (no connection was made) or is idempotent (GET). A circuit breaker may refuse calls. Every call is measured by
upstream; without a response, the status label is 'timeout' or 'unreachable'.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic, perf_counter

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError

from lab import names
from lab.errors import LabError
from lab.services.breaker import STATES, Breaker
from lab.services.retry import (
    CAUSES,
    MAX_RETRIES,
    TIMEOUT,
    UNAVAILABLE,
    UNAVAILABLE_STATUSES,
    UNREACHABLE,
    RetryBudget,
    RetryPolicy,
)
from lab.telemetry import logs, spans, trace
from lab.telemetry.http import log_field
from lab.telemetry.metrics import CollectorRegistry, Counter, Gauge, Histogram
from lab.telemetry.settings import checked_url

CONNECT_SECONDS = 0.5
EJECTED_SECONDS = 1.0
POOL_CONNECTIONS = 64
STATUS_TIMEOUT = "timeout"
STATUS_UNREACHABLE = "unreachable"


class UpstreamError(LabError):
    """A call without a response. `url` is the replica that was called first; "": none was."""

    url = ""


class UpstreamTimeoutError(UpstreamError):
    """The upstream did not answer in time."""


class UpstreamUnreachableError(UpstreamError):
    """No replica of the upstream could be reached."""


class UpstreamOpenError(UpstreamError):
    """The circuit breaker of the upstream is open, so no call was made."""


@dataclass(frozen=True)
class Reply:
    """An upstream's response. `url` is the replica that was called first, before any retry."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str = ""


class Replica:
    """One address of a service, with its connection pool."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pool = urllib3.connection_from_url(url, maxsize=POOL_CONNECTIONS, block=False, retries=False)
        self.ejected_until = 0.0
        self.address: dict[str, str | int] = {
            names.ATTRIBUTE_SERVER: self.pool.host,
            names.ATTRIBUTE_PORT: self.pool.port or 80,
        }


class ClientMetrics:
    """Metrics that all upstreams of a process share: durations of calls, retries, breakers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        upstream = names.LABEL_UPSTREAM
        self.durations = Histogram(
            names.HTTP_CLIENT_DURATION,
            "Duration of HTTP client requests.",
            [upstream, names.LABEL_UPSTREAM_INSTANCE, names.LABEL_METHOD, names.LABEL_STATUS],
            buckets=names.LATENCY_BUCKETS_SECONDS,
            registry=registry,
        )
        self.retries = Counter(
            names.HTTP_CLIENT_RETRIES,
            "Retries by cause of the failed attempt before, including those that the retry budget prevented.",
            [upstream, "cause", "outcome"],
            registry=registry,
        )
        self.refused = Counter(
            names.BREAKER_REFUSED, "Calls refused by an open circuit breaker.", [upstream], registry=registry
        )
        self.state = Gauge(
            names.BREAKER_STATE, "1 for the current state of the breaker.", [upstream, "state"], registry=registry
        )

    def register(self, name: str, breaker: Breaker) -> None:
        """Creates every series of an upstream at 0, because rate() misses the first increment of a new counter."""
        for cause in CAUSES:
            for outcome in ("answered", "failed", "over_budget"):
                self.retries.labels(name, cause, outcome)
        self.refused.labels(name)
        for state in STATES:
            self.state.labels(name, state).set_function(partial(_is_in, breaker, state))


def _is_in(breaker: Breaker, state: str) -> float:
    return float(breaker.state(monotonic()) == state)


class _AttemptFailed(Exception):
    """One attempt failed: its cause (see retry.py), whether the request was certainly not processed, and its result.

    The result for the caller is `reply`, or `error` if there was no response.
    """

    def __init__(self, cause: str, not_processed: bool, error: UpstreamError, reply: Reply | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.not_processed = not_processed
        self.error = error
        self.reply = reply


class Upstream:
    """A service and its replicas. Thread-safe, also while it is reconfigured."""

    def __init__(self, name: str, urls: Iterable[str], timeout_seconds: float, metrics: ClientMetrics) -> None:
        self.name = name
        self.timeout_seconds = timeout_seconds
        self.retry = RetryPolicy()
        self.breaker = Breaker()
        self._budget = RetryBudget()
        self._metrics = metrics
        self._turn = itertools.count()
        self._replicas: tuple[Replica, ...] = ()
        self._log = logs.get()
        metrics.register(name, self.breaker)
        self.set_urls(urls)

    def build(self, urls: Iterable[str]) -> tuple[Replica, ...]:
        """Replicas at `urls` for `use`; replicas already in use are kept with their connections.

        Raises UsageError for an invalid URL.
        """
        known = {replica.url: replica for replica in self._replicas}
        return tuple(known.get(url) or Replica(checked_url(url, self.name)) for url in dict.fromkeys(urls))

    def use(self, replicas: tuple[Replica, ...]) -> None:
        """Switches to `replicas` and closes the connections to all others."""
        old, self._replicas = self._replicas, replicas
        for replica in old:
            if replica not in replicas:
                replica.pool.close()

    def set_urls(self, urls: Iterable[str]) -> None:
        """Switches to the replicas at `urls`. Raises UsageError like `build`; nothing is then changed."""
        self.use(self.build(urls))

    def call(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
        """The response of one replica. Raises UpstreamTimeoutError, UpstreamUnreachableError or UpstreamOpenError."""
        sent = dict(headers)
        trace.inject(sent)
        replicas = self._rotation()
        if not replicas:
            raise UpstreamUnreachableError(f"{self.name} has no replica")
        self._budget.request(monotonic())
        retries, cause = 0, ""
        while True:
            if not self.breaker.admit(monotonic()):
                self._metrics.refused.labels(self.name).inc()
                spans.event("refused by the circuit breaker", {names.ATTRIBUTE_UPSTREAM: self.name})
                raise UpstreamOpenError(f"the circuit breaker of {self.name} is open")
            # A single replica is retried too, because a pooled connection may just have been closed as idle.
            replica = replicas[retries % len(replicas)]
            try:
                reply = self._attempt(replica, method, path, sent, body)
            except _AttemptFailed as failed:
                self.breaker.record(False, monotonic())
                self._count_retry(cause, "failed")
                if not self._may_retry(method, failed, retries):
                    if failed.reply is not None:
                        return replace(failed.reply, url=replicas[0].url)
                    failed.error.url = replicas[0].url
                    raise failed.error from None
                retries, cause = retries + 1, failed.cause
                log_field("upstream_retries", retries)
                spans.event("retry", {names.ATTRIBUTE_UPSTREAM: self.name, "fleetops.cause": cause})
            else:
                self.breaker.record(reply.status < 500, monotonic())
                self._count_retry(cause, "answered")
                return replace(reply, url=replicas[0].url)

    def _attempt(
        self, replica: Replica, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Reply:
        """The response of a replica. Raises _AttemptFailed."""
        started, span_id = perf_counter(), spans.new_id()
        if spans.current() is not None:
            headers = {**headers, "traceparent": trace.traceparent(span_id)}
        attributes = replica.address | {names.ATTRIBUTE_METHOD: method, names.ATTRIBUTE_UPSTREAM: self.name}
        failure = ""
        try:
            reply = self._send(replica, method, path, headers, body)
            attributes[names.ATTRIBUTE_STATUS] = reply.status
            attributes[names.ATTRIBUTE_UPSTREAM_INSTANCE] = reply.headers.get(names.HEADER_INSTANCE, "")
            failure = str(reply.status) if reply.status >= 500 else ""
        except HTTPError as problem:
            timed_out = isinstance(problem, HTTPTimeoutError) and not isinstance(problem, NewConnectionError)
            failure = STATUS_TIMEOUT if timed_out else STATUS_UNREACHABLE
            self._observe(method, failure, started)
            not_processed = isinstance(problem, NewConnectionError | ConnectTimeoutError)
            if not_processed or not timed_out:
                replica.ejected_until = monotonic() + EJECTED_SECONDS
            self._log.warning("upstream failed", upstream=self.name, url=replica.url, reason=_reason(problem))
            # A connect timeout counts as unreachable, like a refused connection.
            cause = TIMEOUT if timed_out and not not_processed else UNREACHABLE
            raise _AttemptFailed(cause, not_processed, _failure(self.name, timed_out, self.timeout_seconds)) from None
        finally:
            spans.record(f"{method} {self.name}", started, spans.CLIENT, attributes, error=failure, span_id=span_id)
        self._observe(method, str(reply.status), started, reply.headers.get(names.HEADER_INSTANCE, ""))
        if reply.status in UNAVAILABLE_STATUSES:
            error = UpstreamUnreachableError(f"{self.name} answered {reply.status}")
            raise _AttemptFailed(UNAVAILABLE, False, error, reply)
        return reply

    def _may_retry(self, method: str, failed: _AttemptFailed, retries_made: int) -> bool:
        if not (failed.not_processed or method == "GET") or not self.retry.allows(failed.cause, retries_made):
            return False
        if self.retry.budget_ratio >= MAX_RETRIES or self._budget.take(monotonic(), self.retry.budget_ratio):
            return True
        self._metrics.retries.labels(self.name, failed.cause, "over_budget").inc()
        return False

    def _count_retry(self, cause: str, outcome: str) -> None:
        """Counts the outcome of a retry; `cause` is "" for a first attempt, which is not counted."""
        if cause:
            self._metrics.retries.labels(self.name, cause, outcome).inc()

    def close(self) -> None:
        """Closes every connection."""
        self.set_urls(())

    def _send(self, replica: Replica, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        if logs.shows_debug():
            self._log.debug("calling upstream", upstream=self.name, url=replica.url, path=path, headers=dict(headers))
        response = replica.pool.urlopen(
            method,
            path,
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, self.timeout_seconds), read=self.timeout_seconds),
        )
        if logs.shows_debug():
            text = response.data.decode("utf-8", "replace")
            self._log.debug("upstream answered", upstream=self.name, headers=dict(response.headers), body=text)
        return Reply(response.status, response.headers, response.data)

    def _observe(self, method: str, status: str, started: float, instance: str = "") -> None:
        seconds = perf_counter() - started
        labels = (self.name, instance, method, status)
        self._metrics.durations.labels(*labels).observe(seconds, spans.exemplar(seconds))

    def _rotation(self) -> list[Replica]:
        """Every replica in round-robin order, with ejected ones last."""
        replicas = self._replicas
        if len(replicas) < 2:
            return list(replicas)
        first = next(self._turn) % len(replicas)
        now = monotonic()
        return sorted(replicas[first:] + replicas[:first], key=lambda replica: replica.ejected_until > now)


def _failure(name: str, timed_out: bool, seconds: float) -> UpstreamError:
    if timed_out:
        return UpstreamTimeoutError(f"{name} did not answer within {seconds:g} s")
    return UpstreamUnreachableError(f"{name} cannot be reached")


def _reason(problem: HTTPError) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0][:200]
