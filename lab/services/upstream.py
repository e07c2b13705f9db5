"""Calls to another service: pooled connections, replicas in turn, a dead one left out for a moment.

A request goes to another replica once when it surely was not begun (the connection was refused) or may be
repeated (GET). Every call is measured by upstream; the status is 'timeout' or 'unreachable' when none came.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import monotonic, perf_counter

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError

from lab import names
from lab.errors import LabError
from lab.telemetry import logs, trace
from lab.telemetry.http import fact
from lab.telemetry.metrics import CollectorRegistry, Histogram

CONNECT_SECONDS = 0.5
LEFT_OUT_SECONDS = 1.0
KEPT_CONNECTIONS = 64
STATUS_TIMEOUT = "timeout"
STATUS_UNREACHABLE = "unreachable"


class UpstreamTimeoutError(LabError):
    """The upstream did not answer in time."""


class UpstreamUnreachableError(LabError):
    """No replica of the upstream could be reached."""


@dataclass(frozen=True)
class Reply:
    """What an upstream answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Replica:
    def __init__(self, url: str) -> None:
        self.url = url
        self.pool = urllib3.connection_from_url(url, maxsize=KEPT_CONNECTIONS, block=False, retries=False)
        self.left_out_until = 0.0


def client_durations(registry: CollectorRegistry) -> Histogram:
    """The histogram that all upstreams of one process share."""
    return Histogram(
        names.HTTP_CLIENT_DURATION,
        "Duration of HTTP requests made.",
        [names.LABEL_UPSTREAM, names.LABEL_METHOD, names.LABEL_STATUS],
        buckets=names.LATENCY_BUCKETS_SECONDS,
        registry=registry,
    )


class Upstream:
    """One service behind some replicas. Safe to call and to reconfigure from any thread."""

    def __init__(self, name: str, urls: Iterable[str], timeout_seconds: float, durations: Histogram) -> None:
        self.name = name
        self.timeout_seconds = timeout_seconds
        self._durations = durations
        self._turn = itertools.count()
        self._lock = threading.Lock()
        self._replicas: tuple[_Replica, ...] = ()
        self._log = logs.get()
        self.set_urls(urls)

    def set_urls(self, urls: Iterable[str]) -> None:
        """Serves from these replicas from now on; connections to those that stay are kept."""
        with self._lock:
            known = {replica.url: replica for replica in self._replicas}
            self._replicas = tuple(known.pop(url) if url in known else _Replica(url) for url in dict.fromkeys(urls))
        for gone in known.values():
            gone.pool.close()

    def call(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
        """The answer of one replica. Raises UpstreamTimeoutError or UpstreamUnreachableError."""
        sent = dict(headers)
        trace.inject(sent)
        replicas = self._in_turn()
        if not replicas:
            raise UpstreamUnreachableError(f"{self.name} has no replica")
        # With one replica the second try goes there too: a kept connection may just have been closed for idling.
        for replica, is_last in ((replicas[0], False), (replicas[1 % len(replicas)], True)):
            started = perf_counter()
            try:
                reply = self._send(replica, method, path, sent, body)
            except HTTPError as problem:
                timed_out = isinstance(problem, HTTPTimeoutError) and not isinstance(problem, NewConnectionError)
                self._observe(method, STATUS_TIMEOUT if timed_out else STATUS_UNREACHABLE, started)
                not_begun = isinstance(problem, NewConnectionError | ConnectTimeoutError)
                if not_begun or not timed_out:
                    replica.left_out_until = monotonic() + LEFT_OUT_SECONDS
                self._log.warning("upstream failed", upstream=self.name, url=replica.url, reason=_reason(problem))
                if is_last or not (not_begun or (method == "GET" and not timed_out)):
                    raise _failure(self.name, timed_out, self.timeout_seconds) from None
                fact("upstream_retries", 1)
            else:
                self._observe(method, str(reply.status), started)
                return reply
        raise UpstreamUnreachableError(f"{self.name} does not answer")

    def close(self) -> None:
        """Closes every kept connection."""
        self.set_urls(())

    def _send(self, replica: _Replica, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
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

    def _observe(self, method: str, status: str, started: float) -> None:
        seconds = perf_counter() - started
        self._durations.labels(self.name, method, status).observe(seconds, {"trace_id": trace.trace_id()})

    def _in_turn(self) -> list[_Replica]:
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
