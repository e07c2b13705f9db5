"""The open-loop generator: every arrival is sent at its scheduled time, regardless of earlier responses."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit

from lab import names
from lab.telemetry import logs
from lab.telemetry.metrics import CollectorRegistry, Counter, Gauge, Histogram
from lab.traffic.arrivals import Arrivals
from lab.traffic.connection import Broken, Connection
from lab.traffic.mix import Mix

# Arrivals beyond this many requests in flight are dropped and counted, so that the generator's own limit is visible.
MAX_CONNECTIONS = 1000
CONNECT_SECONDS = 2.0
RESPONSE_SECONDS = 10.0
TICK_SECONDS = 0.002
IDLE_SECONDS = 10.0
STATUS_TIMEOUT = "timeout"
STATUS_ERROR = "error"
LATE_BUCKETS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 1.0)
DURATION_BUCKETS_SECONDS = (*names.LATENCY_BUCKETS_SECONDS, 10.0)


@dataclass(frozen=True)
class Extra:
    """Additional load: one client with the usual mix of requests, or a crowd of `people` who read their feeds."""

    client_id: str
    rate: float
    people: int = 0
    ramp_seconds: float = 0.0


class GeneratorMetrics:
    """Metrics of the generator: arrivals, their results, and durations since the scheduled arrival."""

    def __init__(self, registry: CollectorRegistry) -> None:
        route = names.LABEL_ROUTE
        self.offered = Counter(names.TRAFFIC_OFFERED, "Scheduled arrivals.", [route], registry=registry)
        self.completed = Counter(
            names.TRAFFIC_COMPLETED,
            "Completed requests, including errors and timeouts.",
            [route, names.LABEL_STATUS],
            registry=registry,
        )
        self.dropped = Counter(
            names.TRAFFIC_DROPPED, "Arrivals dropped at the maximum of connections.", [route], registry=registry
        )
        self.durations = Histogram(
            names.TRAFFIC_DURATION,
            "Time from the scheduled arrival to the complete response.",
            [route],
            buckets=DURATION_BUCKETS_SECONDS,
            registry=registry,
        )
        self.late = Histogram(
            names.TRAFFIC_LATE,
            "Time from the scheduled arrival until the generator acts on it: its own lateness.",
            buckets=LATE_BUCKETS_SECONDS,
            registry=registry,
        )
        self.rate = Gauge(names.TRAFFIC_RATE, "Configured arrivals per second.", registry=registry)
        for name in (names.ROUTE_FEED, names.ROUTE_USER):
            self.offered.labels(name)
            self.dropped.labels(name)


class Generator:
    """Sends requests at `rate` per second to the gateway at `url`.

    `set_rate` and `set_extra` are thread-safe.
    """

    def __init__(self, url: str, rate: float, registry: CollectorRegistry) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._mix = Mix(parts.netloc)
        self._metrics = GeneratorMetrics(registry)
        self._metrics.rate.set(rate)
        self._rate = rate
        self._arrivals: Arrivals | None = None
        self._extra: tuple[Extra, Arrivals] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: deque[tuple[Connection, float]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = logs.get()

    @property
    def rate(self) -> float:
        """The configured rate, in arrivals per second, without additional load."""
        return self._rate

    @property
    def outstanding(self) -> int:
        """Requests in flight."""
        return len(self._tasks)

    def set_rate(self, rate: float) -> None:
        """Changes the rate from now on."""
        self._rate = rate
        self._metrics.rate.set(rate)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._retime)

    @property
    def extra(self) -> Extra | None:
        """The additional load, or None."""
        return self._extra[0] if self._extra else None

    def set_extra(self, extra: Extra) -> None:
        """Sets the additional load; a rate of 0 ends it."""
        # The event loop uses the monotonic clock too, so it can be read from another thread.
        arrivals = Arrivals(extra.rate, time.monotonic(), ramp_seconds=extra.ramp_seconds)
        self._extra = (extra, arrivals) if extra.rate else None

    async def run(self) -> None:
        """Sends until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._arrivals = Arrivals(self._rate, self._loop.time())
        try:
            while True:
                for scheduled in self._arrivals.due(self._loop.time()):
                    self._dispatch(scheduled)
                if current := self._extra:
                    extra, arrivals = current
                    for scheduled in arrivals.due(self._loop.time()):
                        self._dispatch(scheduled, extra)
                await asyncio.sleep(TICK_SECONDS)
        finally:
            for task in self._tasks:
                task.cancel()
            for connection, _ in self._idle:
                connection.close()

    def _retime(self) -> None:
        if self._arrivals is not None and self._loop is not None:
            self._arrivals.retime(self._rate, self._loop.time())

    def _dispatch(self, scheduled: float, extra: Extra | None = None) -> None:
        if extra is not None and extra.people:
            request = self._mix.of_crowd(extra.client_id, extra.people)
        else:
            request = self._mix.next(extra.client_id if extra else "")
        self._metrics.offered.labels(request.route).inc()
        if len(self._tasks) >= MAX_CONNECTIONS:
            self._metrics.dropped.labels(request.route).inc()
            return
        task = asyncio.ensure_future(self._exchange(request.route, request.data, scheduled))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _exchange(self, route: str, data: bytes, scheduled: float) -> None:
        loop = asyncio.get_running_loop()
        connection: Connection | None = None
        status = STATUS_ERROR
        self._metrics.late.observe(loop.time() - scheduled)
        try:
            async with asyncio.timeout(RESPONSE_SECONDS):
                connection = await self._connection()
                status = str(await connection.send(data))
        except TimeoutError:
            status = STATUS_TIMEOUT
        except (OSError, Broken) as problem:
            self._log.debug("request failed", route=route, reason=str(problem))
        finally:
            if connection is not None:
                self._release(connection, answered=status.isdigit())
        self._metrics.completed.labels(route, status).inc()
        self._metrics.durations.labels(route).observe(loop.time() - scheduled)

    async def _connection(self) -> Connection:
        while self._idle:
            # The most recently used connection is the least likely to have been closed as idle.
            connection, _ = self._idle.pop()
            if connection.usable:
                return connection
        async with asyncio.timeout(CONNECT_SECONDS):
            _, connection = await asyncio.get_running_loop().create_connection(Connection, self._host, self._port)
        return connection

    def _release(self, connection: Connection, *, answered: bool) -> None:
        now = asyncio.get_running_loop().time()
        if answered and connection.usable:
            self._idle.append((connection, now))
        else:
            connection.close()
        while self._idle and self._idle[0][1] < now - IDLE_SECONDS:
            self._idle.popleft()[0].close()
