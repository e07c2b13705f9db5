"""What alerts see of a bad canary beside the judge, and false aborts: from the windows and the recorded simulation."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
from test_policies_view import cells

from lab.errors import LabError
from lab.paths import DOCS
from lab.rollout.policy import read_policy
from lab.site.render.html import Markup
from lab.site.sources.context import SiteContext
from lab.site.views.change import simulations
from lab.slo.burn_rate import first_detection
from lab.slo.model import PAGE


@pytest.fixture(scope="module")
def site() -> SiteContext:
    return SiteContext()


def test_no_page_can_fire_at_the_first_weight_and_the_gate_aborts_there_within_seconds(site: SiteContext) -> None:
    slo, windows = site.slos.slo("feed-latency-p99"), site.slos.lab
    first = read_policy().steps_percent[0]
    assert first_detection(windows.of(PAGE), slo.budget_ratio, [(1.0, first / 100)]) is None
    rows = [r for r in simulations.simulated(site).detection if (r.weight_percent, r.bad_ratio) == (first, 1.0)]
    assert [math.inf if row.p95_seconds is None else row.p95_seconds for row in rows] < [10.0]


def test_the_table_gives_the_weights_from_which_each_page_fires(site: SiteContext) -> None:
    tables = str(simulations.blind_spot(site)).split("</figure>")
    _, *rows = cells(Markup(tables[1]))
    assert [row[:3] for row in rows] == [
        ["Bad for every request", "6 %", "14.4 %"],
        ["Bad for 20 % of requests", "30 %", "72 %"],
        ["Bad for 5 % of requests", "never", "never"],
    ]
    runs = simulations.simulated(site).bad_runs
    for row in rows:
        assert sum(int(part.split()[0]) for part in row[4].split(", ")) == runs


def test_the_picture_has_a_panel_for_each_bad_ratio_and_its_figures_as_a_table(site: SiteContext) -> None:
    figure = simulations.blind_spot(site).split("</figure>")[0]
    assert figure.count('role="img"') == 3
    _, *rows = cells(Markup(figure))
    assert len(rows) == len(simulations.simulated(site).detection)
    data = {(row[0], row[1]): row[2:] for row in rows}
    assert data["100 %", "5 %"][:2] == ["never", "never"]
    assert data["5 %", "50 %"][:2] == ["never", "never"]
    assert data["100 %", "50 %"][0] == "17.3 s"


def test_healthy_versions_are_aborted_no_more_often_than_alpha_allows(site: SiteContext) -> None:
    figures = simulations.simulated(site)
    assert figures.runs >= 1000
    for row in figures.healthy.values():
        assert row.aborted <= row.upper_bound_ratio * figures.runs
        assert row.upper_bound_ratio <= figures.policy.alpha
    _, *rows = cells(simulations.false_aborts(site))
    assert [row[1:3] for row in rows] == [
        [f"{figures.runs}", f"{figures.healthy[name].aborted}"] for name in ("independent", "unlucky_clients")
    ]


def test_figures_of_another_policy_are_refused_with_the_command_that_measures_them(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    file = Path(shutil.copy(DOCS / "figures" / "bench.json", tmp_path / "figures"))
    document = json.loads(file.read_text())
    document["sections"]["rollout"]["policy"]["margin"] = 3.0
    file.write_text(json.dumps(document))
    with pytest.raises(LabError, match=r"rollout\.yml changed since; run `python -m scripts\.bench_rollout --record"):
        simulations.blind_spot(SiteContext(docs=tmp_path))
