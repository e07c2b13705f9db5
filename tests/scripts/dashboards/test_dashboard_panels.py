"""What a reader of the dashboards relies on: words, units, limits, a layout without gaps, links that stay valid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dashboards
import pytest

from lab.slo.catalogue import load_specs, load_windows
from lab.slo.thresholds import threshold_seconds
from scripts.dashboards import limits

# Grafana 13's own panel types among those that have a builder here; graph, singlestat and table-old are gone.
PANEL_TYPES = {"heatmap", "stat", "state-timeline", "table", "timeseries"}
UIDS = {
    "fleetops-slo-overview": "SLO overview",
    "fleetops-slo-detail": "SLO detail",
    "fleetops-service-red": "Service RED",
    "fleetops-dependencies": "Dependencies",
    "fleetops-rollout": "Rollout",
    "fleetops-capacity": "Capacity",
}
GRID, NARROWEST_CHART = 24, 8  # columns; at 1366 px a column is about 54 px wide
each = pytest.mark.parametrize("file", dashboards.FILES, ids=lambda file: file.stem)


def lines(panel: dict[str, Any]) -> list[float]:
    return [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1:]]


def panel(uid: str, title: str) -> dict[str, Any]:
    return next(item for item in dashboards.panels(dashboards.FOLDER / f"{uid}.json") if item["title"] == title)


def test_links_and_bookmarks_stay_valid_because_uids_never_change() -> None:
    assert {dashboards.read(file)["uid"]: dashboards.read(file)["title"] for file in dashboards.FILES} == UIDS
    assert all(dashboards.read(file)["uid"] == file.stem for file in dashboards.FILES)


@each
def test_a_panel_says_what_it_shows_in_which_unit(file: Path) -> None:
    shown = dashboards.panels(file)
    for item in shown:
        assert item["type"] in PANEL_TYPES, item["title"]
        assert item["description"].endswith("."), item["title"]
        assert len(item["description"]) > 30, item["title"]
        defaults = item["fieldConfig"]["defaults"]
        units = [defaults.get("unit"), item["options"].get("yAxis", {}).get("unit")]
        units += [value["value"] for field in item["fieldConfig"]["overrides"] for value in field["properties"]]
        assert any(units), f"{item['title']} has no unit"
        assert all(target["legendFormat"] for target in item["targets"]), item["title"]
    titles = [(item["title"], item["type"]) for item in shown]
    assert len(set(titles)) == len(titles)


@each
def test_every_line_of_panels_fills_the_grid_without_overlap(file: Path) -> None:
    cells: dict[tuple[int, int], str] = {}
    for item in dashboards.read(file)["panels"]:
        place = item["gridPos"]
        if item["type"] in {"timeseries", "heatmap"}:
            assert place["w"] >= NARROWEST_CHART, item["title"]
        for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])):  # fmt: skip
            assert cell not in cells, f"{item['title']} overlaps {cells[cell]}"
            cells[cell] = item["title"]
    height = max(y for _, y in cells) + 1
    assert set(cells) == {(x, y) for x in range(GRID) for y in range(height)}
    ids = [item["id"] for item in dashboards.read(file)["panels"]]
    assert ids == list(range(1, len(ids) + 1))


@each
def test_every_variable_that_a_dashboard_uses_is_its_own_or_grafanas(file: Path) -> None:
    content = dashboards.read(file)
    own = {variable["name"] for variable in content["templating"]["list"]}
    used = dashboards.used(json.dumps(content))
    assert {name for name in used - own if not name.startswith("__")} == set()
    assert own <= used
    sources = [item["datasource"] for item in dashboards.panels(file)]
    sources += [target["datasource"] for item in dashboards.panels(file) for target in item["targets"]]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


@each
def test_a_reader_reaches_the_other_dashboards_with_the_same_time(file: Path) -> None:
    content = dashboards.read(file)
    (link,) = content["links"]
    assert (link["type"], link["tags"], link["keepTime"]) == ("dashboards", ["fleetops"], True)
    assert content["tags"] == ["fleetops"]
    assert content["timezone"] == "utc"


def test_latency_charts_show_exemplars() -> None:
    """Every quantile chart and heat map of HTTP requests has dots that open traces."""
    by_panel: dict[tuple[str, str], list[bool]] = {}
    for query in dashboards.every_query():
        if "http_" in query.expr and "_bucket" in query.expr:
            by_panel.setdefault((query.dashboard, query.panel), []).append(query.exemplar)
    assert len(by_panel) >= 6
    assert [place for place, exemplars in by_panel.items() if not any(exemplars)] == []
    others = [query.place for query in dashboards.every_query() if query.exemplar and "_bucket" not in query.expr]
    assert others == []


def test_objectives_are_drawn_where_the_specs_put_them() -> None:
    specs = {slo.sloth_id: slo for slo in load_specs()}
    for service in ("feed", "user"):
        chart = panel("fleetops-service-red", f"{service.capitalize()} latency at the gateway")
        expected = [threshold_seconds(specs[f"{service}-latency-{name}"]) for name in ("p95", "p99")]
        assert lines(chart) == expected
    errors = lines(panel("fleetops-service-red", "Error ratio"))
    assert errors == sorted(specs[f"{service}-availability"].budget_ratio for service in ("feed", "user"))
    detail = panel("fleetops-slo-detail", "SLI against the objective")
    assert [target["expr"] for target in detail["targets"]][1] == 'slo:objective:ratio{sloth_id="$slo"}'


def test_burn_rates_are_drawn_where_the_alerts_of_both_profiles_fire() -> None:
    for uid, title in (("fleetops-slo-overview", "Burn rate"), ("fleetops-slo-detail", "Burn rate by window")):
        for profile in ("lab", "production"):
            factors = sorted(tier.factor for tier in load_windows(profile).tiers)
            assert lines(panel(uid, title)) == pytest.approx(factors)


@pytest.mark.parametrize(
    ("alert", "number"),
    [("CpuHeadroomLow", 0.7), ("RetryRatioHigh", 0.2), ("DatabaseLockWaiters", 3), ("DiskSpaceLow", 512 * 1024**2)],
)
def test_a_guardrail_is_the_number_that_its_alert_compares_with(alert: str, number: float) -> None:
    assert limits.limit(alert) == number


def test_the_table_of_slos_opens_the_details_of_one() -> None:
    fields = panel("fleetops-slo-overview", "SLOs")["fieldConfig"]["overrides"]
    (link,) = next(field["properties"][0]["value"] for field in fields if field["matcher"]["options"] == "SLO")
    assert link["url"].startswith("/d/fleetops-slo-detail?var-slo=${__value.raw}")
    assert "slo" in dashboards.choices(dashboards.FOLDER / "fleetops-slo-detail.json")
