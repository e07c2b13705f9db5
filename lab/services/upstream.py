"""Calls to another service: pooled connections, replicas in turn, a dead one left out for a moment.

A request goes to another replica when its policy allows it (retry.py) and it surely was not begun (the connection
was refused) or may be repeated (GET). A breaker may stand in front. Every call is measured by upstream; the status is
'timeout' or 'unreachable' when none came.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
from lab.telemetry import logs, trace
from lab.telemetry.http import log_field
from lab.telemetry.metrics import CollectorRegistry, Counter, Gauge, Histogram
from lab.telemetry.settings import checked_url

CONNECT_SECONDS = 0.5
LEFT_OUT_SECONDS = 1.0
KEPT_CONNECTIONS = 64
STATUS_TIMEOUT = "timeout"
STATUS_UNREACHABLE = "unreachable"


class UpstreamTimeoutError(LabError):
    """The upstream did not answer in time."""


class UpstreamUnreachableError(LabError):
    """No replica of the upstream could be reached."""


class UpstreamOpenError(LabError):
    """The breaker before the upstream is open: it was not asked."""


@dataclass(frozen=True)
class Reply:
    """What an upstream answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Replica:
    """One address of a service, with the connections kept to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pool = urllib3.connection_from_url(url, maxsize=KEPT_CONNECTIONS, block=False, retries=False)
        self.left_out_until = 0.0


class ClientMetrics:
    """What all upstreams of one process report to: durations of calls, retries, breakers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        upstream = names.LABEL_UPSTREAM
        self.durations = Histogram(
            names.HTTP_CLIENT_DURATION,
            "Duration of HTTP requests made.",
            [upstream, names.LABEL_UPSTREAM_INSTANCE, names.LABEL_METHOD, names.LABEL_STATUS],
            buckets=names.LATENCY_BUCKETS_SECONDS,
            registry=registry,
        )
        self.retries = Counter(
            names.HTTP_CLIENT_RETRIES,
            "Retries of calls by why the try before failed, and those that the budget held back.",
            [upstream, "cause", "outcome"],
            registry=registry,
        )
        self.refused = Counter(
            names.BREAKER_REFUSED, "Calls that an open breaker held back.", [upstream], registry=registry
        )
        self.state = Gauge(
            names.BREAKER_STATE, "1 for the state the breaker is in.", [upstream, "state"], registry=registry
        )

    def begin(self, name: str, breaker: Breaker) -> None:
        """Shows every series of an upstream from the start: a counter that appears with its first event hides it."""
        for cause in CAUSES:
            for outcome in ("answered", "failed", "over_budget"):
                self.retries.labels(name, cause, outcome)
        self.refused.labels(name)
        for state in STATES:
            self.state.labels(name, state).set_function(partial(_is_in, breaker, state))


def _is_in(breaker: Breaker, state: str) -> float:
    return float(breaker.state(monotonic()) == state)


class _Failed(Exception):
    """One try failed: why (a cause of retry.py), whether the upstream surely did not begin, what the caller is told."""

    def __init__(self, cause: str, not_begun: bool, error: LabError, reply: Reply | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.not_begun = not_begun
        self.error = error
        self.reply = reply


class Upstream:
    """One service behind some replicas. Safe to call and to reconfigure from any thread."""

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
        metrics.begin(name, self.breaker)
        self.set_urls(urls)

    def build(self, urls: Iterable[str]) -> tuple[Replica, ...]:
        """Replicas at `urls`, ready for `use`; those in use already are taken over with their connections.

        Raises UsageError for a URL that no connection can be made from.
        """
        known = {replica.url: replica for replica in self._replicas}
        return tuple(known.get(url) or Replica(checked_url(url, self.name)) for url in dict.fromkeys(urls))

    def use(self, replicas: tuple[Replica, ...]) -> None:
        """Serve from `replicas` from now on; connections to all others are closed."""
        old, self._replicas = self._replicas, replicas
        for replica in old:
            if replica not in replicas:
                replica.pool.close()

    def set_urls(self, urls: Iterable[str]) -> None:
        """Serve from the replicas at `urls` from now on. Raises as `build` does, and then nothing is changed."""
        self.use(self.build(urls))

    def call(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
        """The answer of one replica. Raises UpstreamTimeoutError, UpstreamUnreachableError or UpstreamOpenError."""
        sent = dict(headers)
        trace.inject(sent)
        replicas = self._in_turn()
        if not replicas:
            raise UpstreamUnreachableError(f"{self.name} has no replica")
        self._budget.request(monotonic())
        retries, cause = 0, ""
        while True:
            if not self.breaker.admit(monotonic()):
                self._metrics.refused.labels(self.name).inc()
                raise UpstreamOpenError(f"the breaker before {self.name} is open")
            # With one replica the second try goes there too: a kept connection may just have been closed for idling.
            replica = replicas[retries % len(replicas)]
            try:
                reply = self._try(replica, method, path, sent, body)
            except _Failed as failed:
                self.breaker.record(False, monotonic())
                self._count_retry(cause, "failed")
                if not self._again(method, failed, retries):
                    if failed.reply is not None:
                        return failed.reply
                    raise failed.error from None
                retries, cause = retries + 1, failed.cause
                log_field("upstream_retries", retries)
            else:
                self.breaker.record(reply.status < 500, monotonic())
                self._count_retry(cause, "answered")
                return reply

    def _try(self, replica: Replica, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """One replica's answer. Raises _Failed."""
        started = perf_counter()
        try:
            reply = self._send(replica, method, path, headers, body)
        except HTTPError as problem:
            timed_out = isinstance(problem, HTTPTimeoutError) and not isinstance(problem, NewConnectionError)
            self._observe(method, STATUS_TIMEOUT if timed_out else STATUS_UNREACHABLE, started)
            not_begun = isinstance(problem, NewConnectionError | ConnectTimeoutError)
            if not_begun or not timed_out:
                replica.left_out_until = monotonic() + LEFT_OUT_SECONDS
            self._log.warning("upstream failed", upstream=self.name, url=replica.url, reason=_reason(problem))
            # A connection that could not be made in time is as good as one that was refused.
            cause = TIMEOUT if timed_out and not not_begun else UNREACHABLE
            raise _Failed(cause, not_begun, _failure(self.name, timed_out, self.timeout_seconds)) from None
        self._observe(method, str(reply.status), started, reply.headers.get(names.HEADER_INSTANCE, ""))
        if reply.status in UNAVAILABLE_STATUSES:
            error = UpstreamUnreachableError(f"{self.name} answered {reply.status}")
            raise _Failed(UNAVAILABLE, False, error, reply)
        return reply

    def _again(self, method: str, failed: _Failed, retries_made: int) -> bool:
        if not (failed.not_begun or method == "GET") or not self.retry.allows(failed.cause, retries_made):
            return False
        if self.retry.budget_ratio >= MAX_RETRIES or self._budget.take(monotonic(), self.retry.budget_ratio):
            return True
        self._metrics.retries.labels(self.name, failed.cause, "over_budget").inc()
        return False

    def _count_retry(self, cause: str, outcome: str) -> None:
        """Counts a try that was a retry: it had a cause."""
        if cause:
            self._metrics.retries.labels(self.name, cause, outcome).inc()

    def close(self) -> None:
        """Closes every kept connection."""
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
        self._metrics.durations.labels(*labels).observe(seconds, {"trace_id": trace.trace_id()})

    def _in_turn(self) -> list[Replica]:
        """Every replica, the one whose turn it is first and those left out last."""
        replicas = self._replicas
        if len(replicas) < 2:
            return list(replicas)
        first = next(self._turn) % len(replicas)
        now = monotonic()
        return sorted(replicas[first:] + replicas[:first], key=lambda replica: replica.left_out_until > now)


def _failure(name: str, timed_out: bool, seconds: float) -> LabError:
    if timed_out:
        return UpstreamTimeoutError(f"{name} did not answer within {seconds:g} s")
    return UpstreamUnreachableError(f"{name} cannot be reached")


def _reason(problem: HTTPError) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0][:200]
