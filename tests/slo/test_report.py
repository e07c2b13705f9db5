"""The report of detection and reset times agrees with the burn-rate arithmetic."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.cli.slo import slo as command
from lab.slo import find_slo, load_windows
from lab.slo.report import report


def test_cells_contain_detection_and_reset_times_or_never() -> None:
    (row,) = report([find_slo("feed-availability")], load_windows("production"), (1.0, 0.01, 0.0005))
    cells = {(cell.bad_ratio, cell.severity): cell for cell in row.cells}
    assert row.budget_seconds == pytest.approx(43.2 * 60)
    assert cells[1.0, "page"].detection_seconds == pytest.approx(51.84)
    assert cells[1.0, "page"].tier == "page.quick"
    assert cells[1.0, "page"].reset_seconds == pytest.approx(1789.2)
    assert cells[0.01, "page"].tier == "page.slow"
    assert cells[0.0005, "page"].detection_seconds is None
    assert cells[0.0005, "ticket"].detection_seconds is None


def test_the_command_prints_all_slos_for_both_profiles_and_as_json() -> None:
    printed = CliRunner().invoke(command, ["report"])
    assert printed.exit_code == 0
    assert printed.stdout.count("feed-availability: 99.9 %") == 2
    assert "lab time (1 s is 60 s of production)" in printed.stdout
    rows = json.loads(CliRunner().invoke(command, ["report", "--json"]).stdout)
    assert len(rows) == 12
    assert {"sloth_id", "budget_seconds", "unreachable", "cells"} <= rows[0].keys()


@pytest.mark.parametrize("written", ["90", "90.0", "9e1"])
def test_a_whole_objective_is_printed_in_plain_digits(written: str, tmp_path: Path) -> None:
    query = "{raw: {error_ratio_query: 'avg_over_time(x[{{.window}}])'}}"
    off = "{page_alert: {disable: true}, ticket_alert: {disable: true}}"
    path = tmp_path / "spec.yml"
    slo = f"{{name: cart, objective: {written}, sli: {query}, alerting: {off}}}"
    path.write_text(f"version: prometheus/v1\nservice: shop\nslos: [{slo}]")
    result = CliRunner().invoke(command, ["report", "--spec", str(path)])
    assert result.stdout.startswith("shop-cart: 90 %, budget 72.0 h of outage"), result.exception
