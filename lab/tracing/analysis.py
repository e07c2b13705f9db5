"""What a trace shows: its tree, its critical path, repeated statements, missing processes, and what differs in another.

The critical path is the chain of spans without which the request would have ended earlier: from the end of the root
backwards, always the child that ended last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lab import names
from lab.telemetry.span_routes import Process
from lab.telemetry.spans import CLIENT, Span
from lab.tracing.documents import Trace

# So many statements after each other are shown as one line.
MIN_REPEATED = 4
# Statements that overlap by less than this share of their time count as one after another.
OVERLAP_RATIO = 0.1


@dataclass
class Node:
    """A span, the process that recorded it, and its children by start."""

    span: Span
    process: Process
    children: list[Node] = field(default_factory=list)
    critical: bool = False

    @property
    def end(self) -> float:
        """Epoch seconds."""
        return self.span.start + self.span.seconds

    @property
    def own_seconds(self) -> float:
        """Its time during which none of its children ran."""
        covered, until = 0.0, self.span.start
        for child in self.children:
            covered += max(0.0, min(child.end, self.end) - max(child.span.start, until))
            until = max(until, child.end)
        return max(0.0, self.span.seconds - covered)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """The node and all below it, with their depths."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


@dataclass(frozen=True)
class Repeated:
    """Statements of one process to one database or cache, with no other operation between them."""

    nodes: Sequence[Node]

    @property
    def seconds(self) -> float:
        """From the start of the first to the end of the last."""
        return max(node.end for node in self.nodes) - self.nodes[0].span.start

    @property
    def mean_seconds(self) -> float:
        """The mean time of a statement."""
        return sum(node.span.seconds for node in self.nodes) / len(self.nodes)

    @property
    def serial(self) -> bool:
        """Whether they ran one after another."""
        return sum(node.span.seconds for node in self.nodes) <= self.seconds * (1 + OVERLAP_RATIO)


def tree(trace: Trace) -> list[Node]:
    """The roots of the trace: the request at the edge, and spans whose parent is missing. Critical nodes are marked."""
    nodes = {span.span_id: Node(span, process) for process, span in trace.spans()}
    roots: list[Node] = []
    for node in sorted(nodes.values(), key=lambda node: (node.span.start, -node.span.seconds)):
        parent = nodes.get(node.span.parent_id)
        (parent.children if parent is not None and parent is not node else roots).append(node)
    if roots:
        _mark(roots[0])
    return roots


def _mark(node: Node) -> None:
    node.critical = True
    before = node.end
    for child in sorted(node.children, key=lambda child: child.end, reverse=True):
        if child.end <= before + 1e-6:
            _mark(child)
            before = child.span.start


def lines(node: Node, depth: int = 0) -> Iterator[tuple[int, Node | Repeated]]:
    """The nodes in the order of a waterfall, with repeated statements as one."""
    yield depth, node
    rest = list(node.children)
    while rest:
        run = _run(rest)
        if len(run) >= MIN_REPEATED:
            yield depth + 1, Repeated(run)
        else:
            run = rest[:1]
            yield from lines(run[0], depth + 1)
        rest = rest[len(run) :]


def _run(nodes: Sequence[Node]) -> list[Node]:
    """The first of `nodes` that are statements to the same database or cache."""
    system = nodes[0].span.attributes.get(names.ATTRIBUTE_DB_SYSTEM)
    run: list[Node] = []
    for node in nodes:
        if not system or node.children or node.span.attributes.get(names.ATTRIBUTE_DB_SYSTEM) != system:
            break
        run.append(node)
    return run


def missing(roots: Sequence[Node]) -> list[str]:
    """The replicas that were called and whose spans are not in the trace: they were killed, or asked too late."""
    found = set()
    for root in roots:
        for _, node in root.walk():
            attributes = node.span.attributes
            if node.span.kind == CLIENT and names.ATTRIBUTE_UPSTREAM in attributes and not node.children:
                found.add(
                    str(attributes.get(names.ATTRIBUTE_UPSTREAM_INSTANCE) or attributes[names.ATTRIBUTE_UPSTREAM])
                )
    return sorted(found)


@dataclass(frozen=True)
class Difference:
    """An operation of a service in two traces: how often, and its time without that of the operations below it."""

    service: str
    operation: str
    counts: tuple[int, int]
    seconds: tuple[float, float]

    @property
    def more_seconds(self) -> float:
        """The time that the second takes longer."""
        return self.seconds[1] - self.seconds[0]


def differences(normal: Trace, slow: Trace) -> list[Difference]:
    """What `slow` does longer or more often than `normal`, by operation, the largest difference in time first."""
    both = [_by_operation(trace) for trace in (normal, slow)]
    rows = [
        Difference(
            *key,
            (len(both[0].get(key, ())), len(both[1].get(key, ()))),
            (sum(both[0].get(key, ())), sum(both[1].get(key, ()))),
        )
        for key in {**both[0], **both[1]}
    ]
    return sorted(rows, key=lambda row: -abs(row.more_seconds))


def _by_operation(trace: Trace) -> dict[tuple[str, str], list[float]]:
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for root in tree(trace):
        for _, node in root.walk():
            times[node.process.service, node.span.name].append(node.own_seconds)
    return times
