"""What the console shows as current: pages, marks and scores, computed by its modules in a real browser."""

from __future__ import annotations

import json
from typing import Any

import chromium
import pytest
from playwright.sync_api import Page, expect

from lab.clients.times import epoch_seconds

pytestmark = pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH")

CHART: dict[str, Any] = {
    "name": "load",
    "start": epoch_seconds("2026-01-02T00:00:00Z"),
    "step_seconds": 10,
    "objective": None,
}
BEFORE, SINCE = "2026-01-02T00:00:20Z", "2026-01-02T00:00:40Z"


def console(page: Page, published: str, module: str, expression: str) -> Any:
    """The value of a JavaScript expression over `part`, a module of the console."""
    if page.url == "about:blank":
        chromium.visit(page, f"{published}/lab/")
    return page.evaluate(f"import('{published}/assets/console/{module}.js').then((part) => {expression})")


def paged(ident: int, resolved_at: str | None) -> dict[str, object]:
    status = "resolved" if resolved_at else "firing"
    return {
        "id": ident, "status": status, "severity": "page", "service": "feed", "acked_at": None,
        "starts_at": "2026-01-02T00:00:10Z", "received_at": "2026-01-02T00:00:10Z", "resolved_at": resolved_at,
    }  # fmt: skip


def test_pages_bands_and_marks_from_before_a_clean_slate_are_not_current(published: str, page: Page) -> None:
    chart = CHART | {"lines": [{"values": [None, None, None, 1, 1, 1]}]}  # measured from 00:00:30 on, until 00:00:50
    changes = [
        {"at": f"2026-01-02T00:00:{second}Z", "what": "scale feed: 2 → 3", "by": "ada"} for second in ("05", "45")
    ]
    chart["dots"] = [{"at": CHART["start"] + second, "value": 0.5, "trace_id": "ab"[second > 30]} for second in (5, 40)]
    shown = {"series": [chart], "pages": [paged(1, BEFORE), paged(2, SINCE), paged(3, None)], "changes": changes}
    current = console(page, published, "live", f"part.currentPages({json.dumps(shown)}).map((page) => page.id)")
    assert current == [2, 3]
    drawn = console(page, published, "live", f"part.series({json.dumps(chart)}, {json.dumps(shown)})")
    assert drawn["bands"] == [[-20, -10], [-20, 0]]
    assert drawn["marks"] == [
        {"x": -5, "label": "change", "title": "00:00:45 scale feed: 2 → 3, by ada", "change": True}
    ]
    assert drawn["dots"] == [{"x": -10, "y": 0.5, "trace": "b"}]


def test_without_any_chart_every_page_is_current(published: str, page: Page) -> None:
    shown = {"series": [], "pages": [paged(1, BEFORE)], "audit": []}
    assert console(page, published, "live", f"part.currentPages({json.dumps(shown)}).length") == 1


def test_the_score_of_a_void_run_gives_the_reason_and_no_durations(published: str, page: Page) -> None:
    score: dict[str, object] = {
        "id": "D0", "title": "Control", "responder": "none", "ended_at": "2026-01-02T00:00:00Z", "checks": [],
        "durations": dict.fromkeys(("page_seconds", "mtta_seconds", "mttm_seconds", "mttr_seconds")),
    }  # fmt: skip
    for verdict, why in (("void", "the machine was too busy"), ("fail", "no page")):
        card = json.dumps(score | {"verdict": verdict, "why": why})
        text = console(page, published, "views", f"part.scoreCard({card}).map((one) => one.textContent).join('\\n')")
        assert "ended 2026-01-02 00:00:00 UTC" in text
        assert (why in text, "never" in text) == ((True, False) if verdict == "void" else (False, True))


def test_labels_of_near_marks_move_apart_and_repeated_ones_are_left_out(published: str, page: Page) -> None:
    labels = [
        {"at": 0, "label": "change", "width": 40}, {"at": 100, "label": "change", "width": 40},
        {"at": 105, "label": "change", "width": 40}, {"at": 130, "label": "page", "width": 20},
    ]  # fmt: skip
    placed = console(page, published, "chart", f"part.spread({json.dumps(labels)}, 0, 140, 4, 32)")
    assert [(label["label"], label["centre"]) for label in placed] == [("change", 20), ("change", 96), ("page", 130)]


def test_pointing_at_a_mark_says_what_was_changed(published: str, page: Page) -> None:
    shape = {"name": "made-up", "title": "Load", "unit": "ratio", "objective": None, "limit": "", "lines": ["load"]}
    marks = [
        {"x": 50, "label": "change", "title": "scale feed: 2 → 3, by ada", "change": True},
        {"x": 50.5, "label": "ack", "title": "acknowledged by ada"},
        {"x": 80, "label": "page", "title": "FeedLatencyP99Burn delivered"},
    ]
    data = {"xs": [0, 100], "lines": [[0, 1]], "range": [0, 100], "bands": [], "marks": marks}
    drawn = (
        f"{{ const chart = new part.Chart({json.dumps(shape)}); document.querySelector('#live-console').prepend"
        f"(chart.node); chart.update({{...{json.dumps(data)}, label: String}}); return chart.key.textContent; }}"
    )
    assert "change; point at it" in console(page, published, "chart", f"(() => {drawn})()")
    plot, tip = page.locator("[data-chart=made-up] .u-over"), page.locator("[data-chart=made-up] .console-tip")
    box = plot.bounding_box()
    assert box
    plot.hover(position={"x": box["width"] / 2, "y": 60})
    expect(tip).to_have_text("scale feed: 2 → 3, by ada")
    plot.hover(position={"x": box["width"] * 0.8, "y": 60})
    expect(tip).to_have_text("FeedLatencyP99Burn delivered")
    plot.hover(position={"x": box["width"] / 4, "y": 60})
    expect(tip).to_be_hidden()


def test_the_policy_tab_shows_what_is_refused_and_overrides_that_have_expired(published: str, page: Page) -> None:
    expired = "rollout by ada until 2026-01-02T00:00:30.000Z (expired): it ends the outage"
    gate = {
        "service": "feed", "state": "exhausted", "refuses": ["rollout", "config"], "overrides": [expired],
        "reason": "feed-availability has -5.0% of its budget left",
    }  # fmt: skip
    state = json.dumps({"gates": [gate], "problem": ""})
    cells = console(
        page, published, "change", f"part.gates({state}).map((row) => [...row.cells].map((c) => c.textContent))"
    )
    assert cells == [
        ["feed", "exhausted", "rollout, config", f"feed-availability has -5.0% of its budget leftoverride {expired}"]
    ]


def test_a_rollout_that_is_frozen_says_why_in_the_place_of_its_reason(published: str, page: Page) -> None:
    rollout = {
        "service": "feed", "previous": "1.0.0", "version": "1.2.0", "phase": "stepping", "step": 2, "steps": 4,
        "weight_percent": 25, "reason": "every SLO passes", "frozen": "FeedLatencyP99Burn fires", "progress": None,
    }  # fmt: skip
    state = json.dumps({"gates": [], "problem": "", "rollout": rollout})
    lines = console(page, published, "change", f"part.rollout({state}).map((line) => line.textContent)")
    assert lines == [
        "Rollout of feed 1.0.0 → 1.2.0: stepping, frozen step 2 of 4, 25 % of the clients. FeedLatencyP99Burn fires"
    ]
