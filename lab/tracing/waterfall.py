"""A trace as the rows of a waterfall, and as text; and the comparison of two traces as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lab import names
from lab.plaintext import plain
from lab.tracing import analysis
from lab.tracing.analysis import Difference, Node, Repeated
from lab.tracing.documents import Trace, summary

BAR = 24
NAME = 52
# Attributes that a waterfall shows, in this order; `--json` and the export have all of them.
SHOWN = (names.ATTRIBUTE_STATUS, names.ATTRIBUTE_RESULT, names.ATTRIBUTE_DB_QUERY)
QUERY_SHOWN = 60
MIN_DIFFERENCE_SECONDS = 0.0005


def _line(text: str) -> str:
    """Text from a span, safe to print, on one line."""
    return " ".join(plain(text).split())


def milliseconds(seconds: float) -> str:
    """A time in milliseconds, with one decimal below ten."""
    value = seconds * 1000
    return f"{value:.1f} ms" if value < 9.95 else f"{value:.0f} ms"


@dataclass(frozen=True)
class Row:
    """A line of a waterfall: an operation, or statements that follow each other. Times count from the trace's start."""

    depth: int
    process: str
    text: str
    start: float
    seconds: float
    critical: bool
    failed: bool


def rows(trace: Trace) -> list[Row]:
    """The trace line by line, in the order in which operations began below their callers."""
    line, roots = summary(trace), analysis.tree(trace)
    if line is None:
        return []
    return [_row(depth, item, line.started) for root in roots for depth, item in analysis.lines(root)]


def _row(depth: int, item: Node | Repeated, origin: float) -> Row:
    if isinstance(item, Node):
        span = item.span
        return Row(
            depth, _line(item.process.instance), _label(item), span.start - origin, span.seconds, item.critical,
            span.error != "",
        )  # fmt: skip
    first = item.nodes[0]
    operations = ", ".join(dict.fromkeys(_line(node.span.name) for node in item.nodes))
    how = "one after another" if item.serial else "overlapping"
    return Row(
        depth,
        _line(first.process.instance),
        f"{len(item.nodes)} x {milliseconds(item.mean_seconds)}, {how}: {operations}",
        first.span.start - origin,
        item.seconds,
        any(node.critical for node in item.nodes),
        any(node.span.error for node in item.nodes),
    )


def heading(trace: Trace) -> str:
    """The request, its result and why its trace was kept, as one line."""
    line = summary(trace)
    if line is None:
        return f"trace {trace.trace_id}: no span has arrived"
    return (
        f"{_line(line.name)}: status {line.status or 'unknown'}, {milliseconds(line.seconds)}, "
        f"{line.spans} spans, kept as {line.reason}"
    )


def left_out(trace: Trace) -> list[str]:
    """A sentence for each replica whose spans are missing."""
    return [
        f"the spans of {_line(replica)[:40]} are missing: it was killed, or still at work when it was last asked"
        for replica in analysis.missing(analysis.tree(trace))
    ]


def waterfall(trace: Trace) -> Iterator[str]:
    """The trace as text: process, operation, start, time, and a bar over time. Critical spans have a mark."""
    yield heading(trace)
    if (line := summary(trace)) is None:
        return
    shown = rows(trace)
    at = datetime.fromtimestamp(line.started, UTC)
    yield f"trace {trace.trace_id}, {at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} UTC"
    yield ""
    yield f"  {'PROCESS':14} {'OPERATION':{NAME}} {'START':>8} {'TIME':>8}"
    whole = max(row.start + row.seconds for row in shown) or 1e-9
    for row in shown:
        left = min(BAR - 1, max(0, round(row.start / whole * BAR)))
        bar = " " * left + "█" * max(1, min(BAR - left, round(row.seconds / whole * BAR)))
        name = f"{'  ' * row.depth}{row.text}"
        if len(name) > NAME:
            name = f"{name[: NAME - 1]}…"
        yield (
            f"{'*' if row.critical else ' '} {row.process[:14]:14} {name:{NAME}} {milliseconds(row.start):>8} "
            f"{milliseconds(row.seconds):>8}  {bar}"
        )
    yield ""
    yield "* on the critical path: without it, the request would have ended earlier"
    yield from left_out(trace)


def _label(node: Node) -> str:
    span = node.span
    extra = [str(span.attributes[name])[:QUERY_SHOWN] for name in SHOWN if name in span.attributes]
    if span.error and span.error not in extra:
        extra.append(span.error)
    extra += [event.name for event in span.events]
    return _line(" · ".join((span.name, *extra)))


def comparison(normal: Trace, slow: Trace, differences: Sequence[Difference]) -> Iterator[str]:
    """What `slow` does longer or more often than `normal`, and how much of the difference each operation explains."""
    ends = [summary(trace) for trace in (normal, slow)]
    times = [line.seconds if line else 0.0 for line in ends]
    more = times[1] - times[0]
    for word, trace, line in zip(("normal", "slow"), (normal, slow), ends, strict=True):
        if line is not None:
            yield f"{word:6} {trace.trace_id}  {_line(line.name)}, {milliseconds(line.seconds)}, {line.spans} spans"
    yield ""
    yield f"{'SERVICE':8} {'OPERATION':40} {'COUNT':>11} {'TIME OF ITS OWN':>19} {'MORE':>9} {'SHARE':>6}"
    for row in differences:
        if abs(row.more_seconds) < MIN_DIFFERENCE_SECONDS and row.counts[0] == row.counts[1]:
            continue
        share = f"{row.more_seconds / more:.0%}" if more > 0 else "-"
        yield (
            f"{_line(row.service)[:8]:8} {_line(row.operation)[:40]:40} {row.counts[0]:>4} → {row.counts[1]:>4} "
            f"{milliseconds(row.seconds[0]):>8} → {milliseconds(row.seconds[1]):>8} "
            f"{'+' if row.more_seconds >= 0 else '-'}{milliseconds(abs(row.more_seconds)):>8} {share:>6}"
        )
