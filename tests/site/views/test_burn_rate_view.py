"""The calculator in the browser gives the same numbers as the arithmetic of the rules, on a grid."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.errors import ToolError
from lab.paths import DOCS, RULES
from lab.site.build import npm
from lab.site.views.burn_rate import profile
from lab.slo import burn_rate
from lab.slo.catalogue import Catalogue
from lab.slo.model import Windows

BUDGETS = (0.0001, 0.0005, 0.001, 0.01, 0.05, 0.1)
BADS = (0.0004, 0.003, 0.0144, 0.05, 0.144, 0.5, 1.0)
LENGTHS = (3.0, 45.0, 299.0, 3600.0, 50000.0, 400000.0)
SCRIPT = """
import { readFileSync } from "node:fs";
const script = await import(process.argv[2]);
const { detectionSeconds, resetSeconds, budgetSpentRatio, tierIntervals, alertIntervals } = script;
const { tiers, period, grid } = JSON.parse(readFileSync(0, "utf8"));
const whole = (spans) => spans.map(([from, to]) => [from, to === Infinity ? "forever" : to]);
console.log(JSON.stringify(grid.map(([b, bad, seconds]) => ({
  fires: tiers.map((tier) => detectionSeconds(tier, b, bad)),
  resets: tiers.map((tier) => resetSeconds(tier, b, bad)),
  spent: tiers.map((tier) => budgetSpentRatio(tier, period)),
  step: tiers.map((tier) => whole(tierIntervals(tier, b, [[seconds, bad], [1, 0]]))),
  ramp: whole(alertIntervals(tiers, b, [[seconds, bad / 10], [seconds, bad], [1, bad / 3]])),
}))));
"""


def in_javascript(windows: Windows, grid: list[tuple[float, float, float]], folder: Path) -> list[dict[str, Any]]:
    try:
        node = npm.node()
    except ToolError as error:
        pytest.skip(f"Node is not available: {error}")
    for name, text in (("grid.mjs", SCRIPT), ("burn_rate.mjs", (DOCS / "assets" / "burn_rate.js").read_text())):
        (folder / name).write_text(text)
    given = json.dumps({"tiers": profile(windows)["tiers"], "period": windows.period_seconds, "grid": grid})
    done = subprocess.run(
        [node, str(folder / "grid.mjs"), str(folder / "burn_rate.mjs")],
        input=given, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.mark.parametrize("name", ["production", "lab"])
def test_the_calculator_agrees_with_the_rules_arithmetic_everywhere(name: str, tmp_path: Path) -> None:
    windows = Catalogue(RULES).windows(name)
    grid = [(b, bad, seconds / windows.time_factor) for b in BUDGETS for bad in BADS for seconds in LENGTHS]
    for (b, bad, seconds), got in zip(grid, in_javascript(windows, grid, tmp_path), strict=True):
        where = f"b={b} e={bad} for {seconds} s"
        tiers = windows.tiers
        assert got["fires"] == _near([burn_rate.detection_seconds(tier, b, bad) for tier in tiers]), where
        assert got["resets"] == _near([burn_rate.reset_seconds(tier, b, bad) for tier in tiers]), where
        assert got["spent"] == _near([burn_rate.budget_spent_ratio(tier, windows) for tier in tiers]), where
        for tier, spans in zip(tiers, got["step"], strict=True):
            assert _flat(spans) == _near(_flat(burn_rate.tier_intervals(tier, b, [(seconds, bad), (1, 0)]))), where
        ramp = burn_rate.alert_intervals(tiers, b, [(seconds, bad / 10), (seconds, bad), (1, bad / 3)])
        assert _flat(got["ramp"]) == _near(_flat(ramp)), where


def _flat(spans: Any) -> list[Any]:
    return [burn_rate.FOREVER if edge == "forever" else edge for span in spans for edge in span]


def _near(values: list[Any]) -> list[Any]:
    return [value if value is None else pytest.approx(value, rel=1e-9, abs=1e-9) for value in values]
