"""Live snapshots for the console, from fakes of Prometheus and the pager."""

from __future__ import annotations

import math

import pytest
from documents import AT, audit_row
from sources import MadeUpPager, MadeUpPrometheus, watcher

from lab.clients.documents import as_builtins
from lab.console.documents import Node, Sources


def test_a_snapshot_holds_every_slo_with_its_objective_burn_rates_and_state() -> None:
    snapshot = watcher(MadeUpPrometheus(), MadeUpPager()).snapshot()
    slos = {slo.id: slo for slo in snapshot.slos}
    assert set(slos) == {f"{s}-{n}" for s in ("feed", "user") for n in ("availability", "latency-p95", "latency-p99")}
    burning = slos["feed-latency-p99"]
    assert burning.good_ratio == pytest.approx(0.7)
    assert burning.objective_ratio == 0.99
    assert burning.tiers[0].long_burn == pytest.approx(30)
    assert burning.state == "page"
    assert slos["user-availability"].state == "no data"
    assert snapshot.factor == 60
    assert snapshot.sources == Sources(prometheus="ok", pager="ok")


def test_the_system_map_shows_what_is_up_and_what_pages() -> None:
    snapshot = watcher(MadeUpPrometheus(), MadeUpPager()).snapshot()
    nodes = {node.name: node for node in snapshot.nodes}
    assert nodes["gateway"] == Node(name="gateway", state="ok", text="1 of 1 up")
    assert nodes["user"] == Node(name="user", state="warn", text="1 of 2 up")
    assert nodes["feed"] == Node(name="feed", state="bad", text="paging")
    assert nodes["feed-canary"].state == "unknown"


@pytest.mark.parametrize(
    ("capacity", "state"),
    [
        ({"default": 250.0, "n-1": 150.0}, "ok"),
        ({"default": 250.0, "n-1": 79.0}, "no spare"),
        ({"default": 79.0, "n-1": 50.0}, "above"),
        ({"default": 250.0}, "ok"),
        ({"n-1": 150.0}, None),
    ],
)
def test_the_load_stands_beside_the_measured_capacity(capacity: dict[str, float], state: str | None) -> None:
    prometheus = MadeUpPrometheus()
    prometheus.capacity = capacity
    shown = watcher(prometheus, MadeUpPager()).snapshot().capacity
    assert (shown.state if shown else None) == state
    if shown:
        assert (shown.offered_per_second, shown.default) == (80.0, capacity["default"])
        assert shown.n_minus_one == capacity.get("n-1")


def test_charts_have_a_value_or_none_for_every_step() -> None:
    snapshot = watcher(MadeUpPrometheus(), MadeUpPager()).snapshot()
    for chart in snapshot.series:
        assert {len(line.values) for line in chart.lines} == {151}
        assert all(value is None or math.isfinite(value) for line in chart.lines for value in line.values)


def test_a_latency_chart_has_the_slowest_exemplar_of_every_five_seconds() -> None:
    charts = {chart.name: chart for chart in watcher(MadeUpPrometheus(), MadeUpPager()).snapshot().series}
    chart = charts["feed-latency-p99"]
    (dot,) = chart.dots
    assert (dot.value, dot.trace_id) == (0.52, "b" * 32)
    assert chart.start <= dot.at <= chart.start + 301
    assert [name for name, other in charts.items() if other.dots] == ["feed-latency-p99"]


def test_a_source_that_does_not_answer_is_named_and_the_other_is_shown() -> None:
    snapshot = watcher(MadeUpPrometheus(gone=True), MadeUpPager()).snapshot()
    assert "does not answer" in snapshot.sources.prometheus
    assert snapshot.pages
    assert not snapshot.slos
    assert as_builtins(snapshot)["flow"] == {}
    snapshot = watcher(MadeUpPrometheus(), MadeUpPager(gone=True)).snapshot()
    assert snapshot.sources.pager != "ok"
    assert snapshot.slos
    assert not snapshot.pages
    assert snapshot.told_at is None


def test_the_last_answer_of_a_silent_pager_is_kept_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.console.snapshot.SNAPSHOT_SECONDS", 0.0)
    pager, now = MadeUpPager(), 1_800_000_000.0
    sources = watcher(MadeUpPrometheus(), pager)
    sources.now = lambda: now
    before = sources.snapshot()
    pager.gone, now = True, now + 60
    snapshot = sources.snapshot()
    assert "does not answer" in snapshot.sources.pager
    assert snapshot.pages == before.pages
    assert snapshot.pages
    assert snapshot.audit == before.audit
    assert snapshot.told_at == before.told_at == before.at < snapshot.at
    pager.gone = False
    assert sources.snapshot().told_at == snapshot.at


def test_many_viewers_cost_as_many_queries_as_one() -> None:
    prometheus = MadeUpPrometheus()
    sources = watcher(prometheus, MadeUpPager())
    sources.snapshot()
    queries = prometheus.queries
    for _ in range(5):
        sources.snapshot()
    assert prometheus.queries == queries


def test_the_marks_of_the_charts_are_the_rows_that_altered_something() -> None:
    rows = [
        audit_row(id="1", action="scale", target="feed", old=2, new=3),
        audit_row(id="2", action="incident hint"),
        audit_row(id="3", action="config rollback", target="feed", outcome="pending"),
    ]
    pager = MadeUpPager()
    pager.audit = lambda **_: rows  # type: ignore[method-assign]
    snapshot = watcher(MadeUpPrometheus(), pager).snapshot()
    assert len(snapshot.audit) == 3
    assert [(mark.at, mark.what, mark.by) for mark in snapshot.changes] == [(AT, "scale feed: 2 → 3", "ada")]
