"""The benchmark of telemetry serves the same requests with each kind, and its table says what it measured."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.site.sources.context import SiteContext
from lab.site.views.benchmarks import telemetry_cost
from scripts import bench_tracing
from scripts.figures import write_section
from scripts.telemetry_sides import BARE, EXPORTER, OPENTELEMETRY, OURS, SERVICES, SIDES, UNTRACED


def test_every_side_of_the_lab_answers_the_requests_of_a_block() -> None:
    """Those of other libraries are measured by `make bench`, which installs them."""
    with ExitStack() as stack:
        url = stack.enter_context(bench_tracing.idle_service())
        for side in (BARE, UNTRACED, OURS):
            process = stack.enter_context(bench_tracing.started("gateway", side, [url]))
            block = bench_tracing.ask(process, 20, 500.0)
            assert block["answered"] == len(block["latencies"]) == 20
            assert 0 < block["cpu_seconds"] < 20


@pytest.mark.parametrize(("library", "words"), [(1.5, "Both libraries cost more."), (1.05, "A library costs less.")])
def test_the_table_has_every_side_and_says_which_costs_less(tmp_path: Path, library: float, words: str) -> None:
    ratios = {BARE: 1.0, UNTRACED: 1.08, OURS: 1.1, EXPORTER: 1.6, OPENTELEMETRY: library}
    costs = {
        side: {"cpu_us": 500 * ratio, "ratio": ratio, "p50_ms": 1.0, "p99_ms": 2.0} for side, ratio in ratios.items()
    }
    figures = {"rounds": 4, "libraries": ["one==1.2"], "max_ratio": 1.15, **dict.fromkeys(SERVICES, costs)}
    write_section(tmp_path / "figures" / "bench.json", "tracing", json.loads(json.dumps(figures)))
    shown = str(telemetry_cost(SiteContext(docs=tmp_path)))
    assert shown.count("<tr>") == 1 + len(SERVICES) * len(SIDES)
    assert "550\u00a0µs" in shown
    assert "10\u00a0% more processor time than none; the bound is 15\u00a0%" in shown
    assert words in shown
