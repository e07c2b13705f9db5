"""What a trace shows: tree, critical path, repeated statements, missing processes, differences."""

from __future__ import annotations

import pytest
from made_trace import FEED, hexadecimal, normal, slow, span

from lab import names
from lab.telemetry.span_routes import Process
from lab.telemetry.spans import CLIENT, SERVER
from lab.tracing.analysis import Node, Repeated, differences, lines, missing, tree
from lab.tracing.documents import Trace, summary


def names_of(node: Node) -> list[tuple[int, str]]:
    return [
        (depth, f"{len(item.nodes)} statements" if isinstance(item, Repeated) else item.span.name)
        for depth, item in lines(node)
    ]


def test_the_tree_goes_from_the_edge_through_the_call_to_the_statements() -> None:
    (root,) = tree(normal())
    assert names_of(root) == [(0, FEED), (1, "GET feed"), (2, FEED), (3, "cache get")]


def test_statements_that_follow_each_other_are_one_line() -> None:
    (root,) = tree(slow())
    assert names_of(root)[-2:] == [(3, "cache get"), (3, "48 statements")]
    repeated = next(item for _, item in lines(root) if isinstance(item, Repeated))
    assert repeated.serial
    assert repeated.mean_seconds == pytest.approx(0.010, abs=1e-6)
    assert repeated.seconds == pytest.approx(0.480, abs=1e-6)


def test_three_statements_are_three_lines() -> None:
    (root,) = tree(slow(statements=3))
    assert [name for _, name in names_of(root)][-3:] == ["post.select", "user.select", "follow.exists"]


def test_statements_at_the_same_time_are_not_one_after_another() -> None:
    sql = [span("post.select", 10 + n, 1, 5, 40, CLIENT, {names.ATTRIBUTE_DB_SYSTEM: "postgresql"}) for n in range(5)]
    (root,) = tree(Trace("a" * 32, "slow", [Process("feed", "feed-1", "1", [span(FEED, 1, 0, 0, 50, SERVER), *sql])]))
    (repeated,) = [item for _, item in lines(root) if isinstance(item, Repeated)]
    assert not repeated.serial


def test_the_critical_path_follows_what_ended_last() -> None:
    spans = [
        span(FEED, 1, 0, 0, 100, SERVER),
        span("early", 2, 1, 0, 30),
        span("beside it", 3, 1, 10, 10),
        span("late", 4, 1, 40, 60),
    ]
    (root,) = tree(Trace("a" * 32, "slow", [Process("feed", "feed-1", "1", spans)]))
    assert {node.span.name for _, node in root.walk() if node.critical} == {FEED, "early", "late"}


def test_the_time_of_its_own_is_that_without_its_children() -> None:
    spans = [
        span(FEED, 1, 0, 0, 100, SERVER),
        span("a", 2, 1, 10, 30),
        span("overlaps a", 3, 1, 20, 40),
        span("beyond the end", 4, 1, 90, 50),
    ]
    (root,) = tree(Trace("a" * 32, "slow", [Process("feed", "feed-1", "1", spans)]))
    assert root.own_seconds == pytest.approx(0.040, abs=1e-6)


def test_the_spans_of_a_killed_replica_are_missing() -> None:
    trace = slow()
    assert missing(tree(trace)) == []
    assert missing(tree(Trace(trace.trace_id, trace.reason, trace.processes[1:]))) == ["feed-canary-1"]


def test_spans_whose_parent_is_missing_are_roots_of_their_own() -> None:
    trace = slow()
    roots = tree(Trace(trace.trace_id, trace.reason, trace.processes[:1]))
    assert [root.span.name for root in roots] == [FEED]
    line = summary(Trace(trace.trace_id, trace.reason, trace.processes[:1]))
    assert line is not None
    assert line.seconds == pytest.approx(0.5)


def test_a_circle_of_spans_ends() -> None:
    spans = [span("a", 1, 2, 0, 10, SERVER), span("b", 2, 1, 0, 10, SERVER), span("c", 3, 3, 0, 10, SERVER)]
    assert [root.span.name for root in tree(Trace("a" * 32, "slow", [Process("feed", "feed-1", "1", spans)]))] == ["c"]


def test_the_request_at_the_edge_is_the_root_even_if_another_clock_is_ahead() -> None:
    gateway = Process("gateway", "gateway", "1", [span(FEED, 1, 99, 0, 100, SERVER), span("GET feed", 2, 1, 1, 98)])
    feed = Process("feed", "feed-1", "1", [span(FEED, 3, 2, -5, 90, SERVER)])
    root = Trace("a" * 32, "slow", [feed, gateway]).root()
    assert root is not None
    assert root.span_id == hexadecimal(1)


def test_the_difference_names_the_operation_that_takes_the_time() -> None:
    rows = differences(normal(), slow())
    first = {row.operation: row for row in rows[:3]}
    assert set(first) == {"post.select", "user.select", "follow.exists"}
    assert all(row.counts == (0, 16) for row in first.values())
    assert sum(row.more_seconds for row in rows) == pytest.approx(0.5, abs=1e-3)


def test_the_times_of_own_of_a_trace_are_its_whole_time() -> None:
    (root,) = tree(slow())
    assert sum(node.own_seconds for _, node in root.walk()) == pytest.approx(root.span.seconds, abs=1e-6)
