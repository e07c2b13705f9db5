"""A stored trace: the spans of one request from every process that it passed through."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lab import names
from lab.telemetry.span_routes import Process
from lab.telemetry.spans import SERVER, Span


class Trace(msgspec.Struct, frozen=True):
    """A kept trace: its id (32 hex digits), why it was kept, and the processes with their spans."""

    trace_id: str
    reason: str
    processes: list[Process]

    def spans(self) -> Iterator[tuple[Process, Span]]:
        """Every span with its process."""
        return ((process, span) for process in self.processes for span in process.spans)

    def root(self) -> Span | None:
        """The server span at the edge, or the first whose caller's spans are missing; None without any."""
        known = {span.span_id for _, span in self.spans()}
        servers = [span for _, span in self.spans() if span.kind == SERVER and span.parent_id not in known]
        return min(servers, key=lambda span: span.start, default=None)


class Summary(msgspec.Struct, frozen=True):
    """A line of a list of traces. `started` is in epoch seconds, `status` 0 if it is unknown."""

    trace_id: str
    started: float
    seconds: float
    name: str
    status: int
    reason: str
    spans: int


def summary(trace: Trace) -> Summary | None:
    """The trace in one line; None without a root."""
    root = trace.root()
    if root is None:
        return None
    status = root.attributes.get(names.ATTRIBUTE_STATUS, 0)
    return Summary(
        trace.trace_id,
        root.start,
        root.seconds,
        root.name,
        status if isinstance(status, int) else 0,
        trace.reason,
        sum(len(process.spans) for process in trace.processes),
    )
