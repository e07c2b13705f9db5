"""A trace and a comparison of two as text, for a terminal of 100 columns or more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"


def waterfall(trace: Trace) -> Iterator[str]:
    """The trace line by line: process, operation, start, time, and a bar over time. Critical spans have a mark."""
    line, roots = summary(trace), analysis.tree(trace)
    if line is None or not roots:
        yield f"trace {trace.trace_id}: no span has arrived"
        return
    at = datetime.fromtimestamp(line.started, UTC)
    yield (
        f"{_line(line.name)}: status {line.status or 'unknown'}, {milliseconds(line.seconds)}, "
        f"{line.spans} spans, kept as {line.reason}"
    )
    yield f"trace {trace.trace_id}, {at:%Y-%m-%d %H:%M:%S.%f}"[: -3 or None] + " UTC"
    yield ""
    yield f"  {'PROCESS':14} {'OPERATION':{NAME}} {'START':>8} {'TIME':>8}"
    origin = line.started
    whole = max((node.end for root in roots for _, node in root.walk()), default=origin) - origin or 1e-9
    for root in roots:
        for depth, item in analysis.lines(root):
            yield _row(depth, item, origin, whole)
    yield ""
    yield "* on the critical path: without it, the request would have ended earlier"
    for replica in analysis.missing(roots):
        yield f"the spans of {_line(replica)[:40]} are missing: it was killed, or still at work when it was last asked"


def _row(depth: int, item: Node | Repeated, origin: float, whole: float) -> str:
    if isinstance(item, Repeated):
        first, seconds = item.nodes[0], item.seconds
        operations = ", ".join(dict.fromkeys(_line(node.span.name) for node in item.nodes))
        how = "one after another" if item.serial else "overlapping"
        text = f"{len(item.nodes)} x {milliseconds(item.mean_seconds)}, {how}: {operations}"
        critical = any(node.critical for node in item.nodes)
    else:
        first, seconds, text, critical = item, item.span.seconds, _label(item), item.critical
    start = first.span.start - origin
    left = min(BAR - 1, max(0, round(start / whole * BAR)))
    bar = " " * left + "█" * max(1, min(BAR - left, round(seconds / whole * BAR)))
    name = f"{'  ' * depth}{text}"
    if len(name) > NAME:
        name = f"{name[: NAME - 1]}…"
    mark = "*" if critical else " "
    return (
        f"{mark} {_line(first.process.instance)[:14]:14} {name:{NAME}} {milliseconds(start):>8} "
        f"{milliseconds(seconds):>8}  {bar}"
    ).rstrip()


def _label(node: Node) -> str:
    span = node.span
    extra = [str(span.attributes[name])[:QUERY_SHOWN] for name in SHOWN if name in span.attributes]
    if span.error and span.error not in extra:
        extra.append(span.error)
    extra += [event.name for event in span.events]
    return _line(" · ".join((span.name, *extra)))


def comparison(normal: Trace, slow: Trace, rows: Sequence[Difference]) -> Iterator[str]:
    """What `slow` does longer or more often than `normal`, and how much of the difference each operation explains."""
    ends = [summary(trace) for trace in (normal, slow)]
    times = [line.seconds if line else 0.0 for line in ends]
    more = times[1] - times[0]
    for word, trace, line in zip(("normal", "slow"), (normal, slow), ends, strict=True):
        if line is not None:
            yield f"{word:6} {trace.trace_id}  {_line(line.name)}, {milliseconds(line.seconds)}, {line.spans} spans"
    yield ""
    yield f"{'SERVICE':8} {'OPERATION':40} {'COUNT':>11} {'TIME OF ITS OWN':>19} {'MORE':>9} {'SHARE':>6}"
    for row in rows:
        if abs(row.more_seconds) < MIN_DIFFERENCE_SECONDS and row.counts[0] == row.counts[1]:
            continue
        share = f"{row.more_seconds / more:.0%}" if more > 0 else "-"
        yield (
            f"{_line(row.service)[:8]:8} {_line(row.operation)[:40]:40} {row.counts[0]:>4} → {row.counts[1]:>4} "
            f"{milliseconds(row.seconds[0]):>8} → {milliseconds(row.seconds[1]):>8} "
            f"{'+' if row.more_seconds >= 0 else '-'}{milliseconds(abs(row.more_seconds)):>8} {share:>6}"
        )
