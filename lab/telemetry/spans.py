"""Spans: what a process did for each request, kept in memory for a few seconds until the collector asks for them.

The data model is OpenTelemetry's (see lab/tracing/otlp.py for the export), recorded without its SDK: there a span costs
40 to 50 us, here less than 1, and a request of the canary has 50. Every request has one server span; all operations
that the process waits for while it serves the request are children of that span.
"""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextvars import ContextVar, Token
from time import perf_counter

import msgspec

from lab.telemetry import trace

# Kinds, as OTLP numbers them.
INTERNAL, SERVER, CLIENT = 1, 2, 3
# Spans are asked for within two seconds. Five seconds of the canary at half of the default traffic fit.
KEEP_SECONDS = 10.0
MAX_KEPT_SPANS = 6_000
# Of one request, in one process. Those beyond are counted in the attribute DROPPED of its server span.
MAX_REQUEST_SPANS = 200
DROPPED = "fleetops.dropped_spans"

Attributes = Mapping[str, str | int | float | bool]
_NONE: Attributes = {}
# Ids must differ between processes and restarts; they need not be secret. Seeded by the operating system.
_RANDOM = random.Random()  # noqa: S311


def _epoch() -> float:
    """Epoch seconds at which perf_counter was 0, from the closest of several pairs of readings."""

    def reading() -> tuple[float, float]:
        before, now = perf_counter(), time.time()
        after = perf_counter()
        return after - before, now - (before + after) / 2

    return min(reading() for _ in range(20))[1]


_EPOCH = _epoch()


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that happened during a span, `at` epoch seconds."""

    name: str
    at: float
    attributes: Attributes = _NONE


class Span(msgspec.Struct, frozen=True, omit_defaults=True):
    """One operation. `start` is in epoch seconds, ids are 16 hex digits; `parent_id` and `error` are "" for none."""

    name: str
    kind: int
    span_id: str
    parent_id: str
    start: float
    seconds: float
    attributes: Attributes = _NONE
    error: str = ""
    events: tuple[Event, ...] = ()


class Ring:
    """The finished spans of a process by trace: at most MAX_KEPT_SPANS, none older than KEEP_SECONDS. Thread-safe."""

    def __init__(self, slow_seconds: float) -> None:
        """A trace is kept if it is sampled, or if a request takes longer than `slow_seconds`, among other reasons."""
        self.slow_seconds = slow_seconds
        self._lock = threading.Lock()
        self._traces: OrderedDict[int, tuple[float, list[Span]]] = OrderedDict()
        self._size = 0

    def add(self, trace_id: int, spans: list[Span]) -> None:
        """Keep the spans of one request."""
        now = perf_counter()
        with self._lock:
            # A trace may pass through a process twice. It then moves to the end, so that the oldest is always first.
            _, known = self._traces.pop(trace_id, (now, []))
            self._traces[trace_id] = now, known + spans
            self._size += len(spans)
            while self._size > MAX_KEPT_SPANS or next(iter(self._traces.values()))[0] < now - KEEP_SECONDS:
                _, (_, dropped) = self._traces.popitem(last=False)
                self._size -= len(dropped)

    def spans(self, trace_ids: Iterable[int]) -> dict[int, list[Span]]:
        """The spans of those of these traces that are kept."""
        with self._lock:
            return {trace_id: self._traces[trace_id][1] for trace_id in trace_ids if trace_id in self._traces}


class Request:
    """The spans of the request that is being served."""

    __slots__ = ("dropped", "events", "parent_id", "ring", "sampled", "span_id", "spans", "trace_id")

    def __init__(self, ring: Ring, trace_id: int, span_id: int, parent_id: int, *, sampled: bool) -> None:
        self.ring, self.trace_id = ring, trace_id
        self.span_id, self.parent_id = f"{span_id:016x}", f"{parent_id:016x}" if parent_id else ""
        self.sampled = sampled
        self.spans: list[Span] = []
        self.events: list[Event] = []
        self.dropped = 0

    def finish(self, name: str, started: float, attributes: dict[str, str | int | float | bool], error: str) -> None:
        """Add the server span, which ends now, and keep all spans of the request."""
        if self.dropped:
            attributes[DROPPED] = self.dropped
        server = Span(
            name, SERVER, self.span_id, self.parent_id, _EPOCH + started, perf_counter() - started,
            attributes, error, tuple(self.events),
        )  # fmt: skip
        self.ring.add(self.trace_id, [server, *self.spans])


_REQUEST: ContextVar[Request | None] = ContextVar("request_spans", default=None)


def begin(request: Request) -> Token[Request | None]:
    """From now on, `record` and `event` add to `request`. Undo it with `end`."""
    return _REQUEST.set(request)


def end(token: Token[Request | None]) -> None:
    """Undo `begin`."""
    _REQUEST.reset(token)


def current() -> Request | None:
    """The request that is being served; None outside of one, and while no spans are recorded."""
    return _REQUEST.get()


def new_id() -> int:
    """A new span id."""
    return _RANDOM.getrandbits(64) or 1


def record(
    name: str,
    started: float,
    kind: int = INTERNAL,
    attributes: Attributes = _NONE,
    *,
    error: str = "",
    span_id: int = 0,
) -> None:
    """Record an operation of the current request that began at `started` (perf_counter) and ends now."""
    request = _REQUEST.get()
    if request is None:
        return
    if len(request.spans) >= MAX_REQUEST_SPANS:
        request.dropped += 1
        return
    request.spans.append(
        Span(
            name, kind, f"{span_id or new_id():016x}", request.span_id, _EPOCH + started, perf_counter() - started,
            attributes, error,
        )
    )  # fmt: skip


def exemplar(seconds: float) -> dict[str, str] | None:
    """The exemplar of an observation in the current request; None if its trace will not be kept, as far as is known."""
    request = _REQUEST.get()
    if request is None or request.sampled or seconds > request.ring.slow_seconds:
        return {"trace_id": trace.trace_id()}
    return None


def event(name: str, attributes: Attributes = _NONE) -> None:
    """Add an event to the server span of the current request."""
    request = _REQUEST.get()
    if request is not None and len(request.events) < MAX_REQUEST_SPANS:
        request.events.append(Event(name, _EPOCH + perf_counter(), attributes))
