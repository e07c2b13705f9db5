"""Traces as text: every line fits, the N+1 problem is one line, and nothing from outside reaches the terminal raw."""

from __future__ import annotations

from made_trace import FEED, call, normal, served, slow, span

from lab.telemetry.span_routes import Process
from lab.telemetry.spans import SERVER
from lab.tracing import analysis
from lab.tracing.documents import Trace
from lab.tracing.waterfall import comparison, waterfall


def test_the_waterfall_shows_the_statements_as_one_line_on_the_critical_path() -> None:
    shown = list(waterfall(slow()))
    assert shown[0] == f"{FEED}: status 200, 520 ms, 52 spans, kept as slow"
    (statements,) = [line for line in shown if "48 x" in line]
    assert statements.startswith("* feed-canary-1")
    assert "48 x 10 ms, one after another: post.select" in statements
    assert "█" * 20 in statements
    assert max(map(len, shown)) <= 120


def test_a_missing_process_is_named() -> None:
    trace = slow()
    shown = list(waterfall(Trace(trace.trace_id, trace.reason, trace.processes[1:])))
    assert shown[-1].startswith("the spans of feed-canary-1 are missing")


def test_a_trace_without_spans_is_one_line() -> None:
    assert list(waterfall(Trace("f" * 32, "slow", []))) == [f"trace {'f' * 32}: no span has arrived"]


def test_the_comparison_names_what_takes_the_time_and_its_share() -> None:
    shown = list(comparison(normal(), slow(), analysis.differences(normal(), slow())))
    assert shown[0].startswith(f"normal {'a' * 32}")
    (row,) = [line for line in shown if "post.select" in line]
    assert "0 →   16" in row
    assert row.endswith("32%")


def test_a_comparison_with_a_slower_trace_has_no_shares() -> None:
    shown = list(comparison(slow(), normal(), analysis.differences(slow(), normal())))
    assert all(line.endswith(" -") for line in shown if "select" in line)


def test_control_characters_and_long_text_never_reach_the_terminal() -> None:
    odd = "\x1b[31m<script>\r\n" + "x" * 10_000
    spans = [served(10, 503), call(odd, 5, odd), span(odd, 7, 1, 2, 3, error=odd), span(odd, 8, 77, 2, 3, SERVER)]
    trace = Trace("a" * 32, "failed", [Process(odd, odd, odd, spans)])
    for line in [*waterfall(trace), *comparison(trace, trace, analysis.differences(trace, trace))]:
        assert "\x1b" not in line
        assert "\n" not in line
