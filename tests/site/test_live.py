"""The picture that the console shows live, from two made-up sources."""

from __future__ import annotations

import json

import pytest
from sources import MadeUpPager, MadeUpPrometheus, watcher


def test_the_picture_holds_every_slo_with_its_objective_burn_rates_and_budget() -> None:
    picture = watcher(MadeUpPrometheus(), MadeUpPager()).picture()
    slos = {slo["id"]: slo for slo in picture["slos"]}
    assert set(slos) == {f"{s}-{n}" for s in ("feed", "user") for n in ("availability", "latency-p95", "latency-p99")}
    burning = slos["feed-latency-p99"]
    assert burning["good_ratio"] == pytest.approx(0.7)
    assert burning["objective_ratio"] == 0.99
    assert burning["tiers"][0]["long_burn"] == pytest.approx(30)
    assert burning["state"] == "page"
    assert slos["user-availability"]["state"] == "no data"
    assert picture["factor"] == 60
    assert picture["sources"] == {"prometheus": "ok", "pager": "ok"}


def test_the_map_says_what_is_up_and_what_burns() -> None:
    picture = watcher(MadeUpPrometheus(), MadeUpPager()).picture()
    nodes = {node["name"]: node for node in picture["nodes"]}
    assert nodes["gateway"] == {"name": "gateway", "state": "ok", "text": "1 of 1 up"}
    assert nodes["user"] == {"name": "user", "state": "warn", "text": "1 of 2 up"}
    assert nodes["feed"] == {"name": "feed", "state": "bad", "text": "paging"}
    assert nodes["feed-canary"]["state"] == "unknown"


def test_charts_have_a_value_or_nothing_for_every_step() -> None:
    picture = watcher(MadeUpPrometheus(), MadeUpPager()).picture()
    for chart in picture["series"]:
        assert {len(line["values"]) for line in chart["lines"]} == {151}
    assert json.dumps(picture, allow_nan=False)


def test_a_silent_source_is_named_and_the_rest_still_stands() -> None:
    picture = watcher(MadeUpPrometheus(gone=True), MadeUpPager()).picture()
    assert "does not answer" in picture["sources"]["prometheus"]
    assert picture["pages"]
    assert picture["slos"] == []
    picture = watcher(MadeUpPrometheus(), MadeUpPager(gone=True)).picture()
    assert picture["sources"]["pager"] != "ok"
    assert picture["slos"]
    assert picture["pages"] == []
    assert picture["told_at"] is None


def test_what_a_silent_pager_said_last_stands_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.console.snapshot.PICTURE_SECONDS", 0.0)
    pager, now = MadeUpPager(), 1_800_000_000.0
    sources = watcher(MadeUpPrometheus(), pager)
    sources.now = lambda: now
    before = sources.picture()
    pager.gone, now = True, now + 60
    picture = sources.picture()
    assert "does not answer" in picture["sources"]["pager"]
    assert picture["pages"] == before["pages"] != []
    assert picture["audit"] == before["audit"]
    assert picture["told_at"] == before["told_at"] == before["at"] < picture["at"]
    pager.gone = False
    assert sources.picture()["told_at"] > before["told_at"]


def test_many_who_watch_cost_what_one_costs() -> None:
    prometheus = MadeUpPrometheus()
    sources = watcher(prometheus, MadeUpPager())
    sources.picture()
    asked = prometheus.asked
    for _ in range(5):
        sources.picture()
    assert prometheus.asked == asked
