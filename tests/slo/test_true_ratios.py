"""Alerts are correct for unusual but real queries, as promtool evaluates the generated rules.

The windows are seconds instead of hours, so that a scenario of minutes covers them; the arithmetic is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.errors import SpecError
from lab.slo import promtool
from lab.slo.generate import read_all, render_slos
from lab.slo.rendering.rules import generate
from lab.slo.specs.windows import read_windows

WINDOWS = """\
apiVersion: sloth.slok.dev/v1
kind: AlertWindows
metadata: {name: small, annotations: {fleetops/scrape-interval: 1s}}
spec:
  sloPeriod: 20m
  page:
    quick: {errorBudgetPercent: 20, shortWindow: 6s, longWindow: 60s}
    slow: {errorBudgetPercent: 40, shortWindow: 30s, longWindow: 4m}
  ticket:
    quick: {errorBudgetPercent: 50, shortWindow: 40s, longWindow: 5m}
    slow: {errorBudgetPercent: 60, shortWindow: 4m, longWindow: 8m}
"""
# Burn rates of 4x and 2.4x page, 2x and 1.5x open a ticket: with an objective of 99 %, above 4 % and 1.5 % bad events.
PAGE = 'ALERTS{alertstate="firing",sloth_severity="page"}'
TICKET = 'ALERTS{alertstate="firing",sloth_severity="ticket"}'
REMAINING = "slo:period_error_budget_remaining:ratio"


@dataclass
class Scenario:
    """A spec's SLI, its input series, and checks as (seconds, expression, expected value or None for no sample)."""

    sli: str
    series: dict[str, str]
    checks: list[tuple[int, str, float | None]]
    plain: bool = False
    windows: str = WINDOWS
    policy: str = field(default="{}")


def events(bad: str, total: str) -> str:
    return f"{{events: {{error_query: '{bad}', total_query: '{total}'}}}}"


def check(folder: Path, scenario: Scenario) -> None:
    """Generate the rules and let promtool check the scenario, evaluated every second."""
    (folder / "windows.yml").write_text(scenario.windows)
    (folder / "spec.yml").write_text(
        "version: prometheus/v1\nservice: ferry\nslos:\n"
        f"  - {{name: trips, objective: 99, policy: {scenario.policy}, sli: {scenario.sli}, "
        "alerting: {name: Burn}}\n"
    )
    windows = read_windows(folder / "windows.yml")
    ((_, slos),) = read_all([folder / "spec.yml"], plain=scenario.plain)
    (folder / "rules.yml").write_text(render_slos(slos, windows, "spec.yml"))
    checks: list[dict[str, Any]] = []
    for at, expr, value in scenario.checks:
        samples = [] if value is None else [{"labels": "{}", "value": value}]
        checks.append({"eval_time": f"{at}s", "expr": expr, "exp_samples": samples})
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1s",
        "group_eval_order": [group.name for slo in slos for group in generate(slo, windows)],
        "tests": [
            {
                "interval": "1s",
                "input_series": [{"series": name, "values": values} for name, values in scenario.series.items()],
                "promql_expr_test": checks,
            }
        ],
    }
    (folder / "scenario.test.yml").write_text(yaml.safe_dump(test, width=10_000))
    result = promtool.run(["test", "rules", folder / "scenario.test.yml"])
    assert result.returncode == 0, result.stdout + result.stderr


pytestmark = pytest.mark.promtool
RAW = "{raw: {error_ratio_query: '1 - sum(rate(ok_total[{{.window}}])) / sum(rate(all_total[{{.window}}]))'}}"


@pytest.mark.parametrize("float_error", ["- 2e-16", "+ 2e-16"], ids=["just below zero", "just above zero"])
@pytest.mark.parametrize("plain", [False, True], ids=["guarded", "plain"])
def test_a_healthy_ratio_with_a_negative_float_error_is_healthy(tmp_path: Path, float_error: str, plain: bool) -> None:
    """An outage after it pages as early as usual (after 2.4 s), and costs the same budget."""
    series = {"ok_total": "0+10x300 3000+0x20 3000+10x60", "all_total": "0+10x382"}
    checks: list[tuple[int, str, float | None]] = [
        (300, f"count({PAGE})", None),
        (306, f"count({PAGE})", 1),
        # 22 of 380 evaluations; with guards, of the 400 in a period (promtool evaluates all groups every second).
        (380, f"sum(abs(1 - {REMAINING} - {22 / 380 / 0.01 if plain else 22 / 400 / 0.01:.6g}) < bool 0.2)", 1),
    ]
    check(tmp_path, Scenario(RAW.replace("'}}", f" {float_error}'}}}}"), series, checks, plain))


def test_a_ratio_well_below_zero_is_a_healthy_zero(tmp_path: Path) -> None:
    """Good events are counted slightly ahead of all events."""
    series = {"ok_total": "0+1001x100", "all_total": "0+1000x100"}
    ratios = "sum(slo:sli_error:ratio_rate6s) + sum(slo:sli_error:ratio_rate1m)"
    check(tmp_path, Scenario(RAW, series, [(100, ratios, 0), (100, "sum(slo:current_burn_rate:ratio)", 0)]))


def test_a_total_just_below_zero_does_not_suppress_the_page(tmp_path: Path) -> None:
    """The total is a subtraction: when everything fails, only a float error of either sign is left."""
    sli = events(
        'sum(rate(trips_total{end="lost"}[{{.window}}]))',
        'sum(rate(trips_total[{{.window}}])) - sum(rate(trips_total{end="lost"}[{{.window}}])) - 1e-12',
    )
    series = {
        'trips_total{end="docked"}': "0+100x120 12000+0x300",
        'trips_total{end="lost"}': "0+0x120 0+100x300",
    }
    checks: list[tuple[int, str, float | None]] = [(120, f"count({PAGE})", None), (400, f"count({PAGE})", 1)]
    check(tmp_path, Scenario(sli, series, checks))


@pytest.mark.parametrize("plain", [False, True], ids=["guarded", "plain"])
def test_failures_while_the_total_is_constant_page_until_they_end(tmp_path: Path, plain: bool) -> None:
    """A total that counts successes only: error / total is infinite, which is clamped to a ratio of 1."""
    sli = events('sum(rate(trips_total{end="lost"}[{{.window}}]))', 'sum(rate(trips_total{end="docked"}[{{.window}}]))')
    series = {
        'trips_total{end="docked"}': "0+100x120 12000+0x600",
        'trips_total{end="lost"}': "0+0x120 0+100x600",
    }
    checks: list[tuple[int, str, float | None]] = [
        (120, f"count({PAGE})", None),
        *((at, f"count({PAGE})", 1) for at in (130, 160, 200, 400, 720)),
        (720, f"count({TICKET})", 1),
        (720, f"sum({REMAINING} > bool -100)", 1),
    ]
    check(tmp_path, Scenario(sli, series, checks, plain))


@pytest.mark.parametrize("plain", [False, True], ids=["guarded", "plain"])
def test_nothing_but_failures_ever_is_a_ratio_of_one(tmp_path: Path, plain: bool) -> None:
    sli = events('sum(rate(trips_total{end="lost"}[{{.window}}]))', 'sum(rate(trips_total{end="docked"}[{{.window}}]))')
    series = {'trips_total{end="docked"}': "0+0x300", 'trips_total{end="lost"}': "0+100x300"}
    spent = 100 if plain else 75  # the whole period, or 300 of its 400 evaluations
    checks: list[tuple[int, str, float | None]] = [
        (300, f"count({PAGE})", 1),
        (300, f"sum(abs(1 - {REMAINING} - {spent}) < bool 1)", 1),
    ]
    check(tmp_path, Scenario(sli, series, checks, plain))


@pytest.mark.parametrize("plain", [False, True], ids=["guarded", "plain"])
@pytest.mark.parametrize("late", [False, True], ids=["counters from the start", "counters from the first failure"])
def test_bad_events_that_do_not_match_the_total_are_absent_and_not_zero(
    tmp_path: Path, plain: bool, late: bool
) -> None:
    """The error query keeps a label that the total does not have, so there is neither a ratio nor a budget."""
    sli = events('sum by (harbor) (rate(ops_total{end="jam"}[{{.window}}]))', "sum(rate(ops_total[{{.window}}]))")
    none = "_" if late else "0+0"
    series = {
        'ops_total{harbor="A",end="ok"}': "0+100x300",
        'ops_total{harbor="A",end="jam"}': f"{none}x100 0+0x200",
        'ops_total{harbor="B",end="ok"}': "0+100x100 10000+0x200",
        'ops_total{harbor="B",end="jam"}': f"{none}x100 0+100x200",
    }
    names = ("slo:sli_error:ratio_rate6s", "slo:sli_error:ratio_rate1m", "slo:current_burn_rate:ratio", REMAINING)
    check(tmp_path, Scenario(sli, series, [(300, f"count({name})", None) for name in names], plain))


def test_an_sli_with_groups_has_a_ratio_and_a_floor_for_each_group(tmp_path: Path) -> None:
    sli = events(
        'sum by (harbor) (rate(ops_total{end="jam"}[{{.window}}]))', "sum by (harbor) (rate(ops_total[{{.window}}]))"
    )
    series = {
        'ops_total{harbor="A",end="ok"}': "0+100x300",
        'ops_total{harbor="A",end="jam"}': "0+0x300",
        'ops_total{harbor="B",end="ok"}': "0+100x100 10000+0x200",
        'ops_total{harbor="B",end="jam"}': "_x101 0+100x199",
    }
    checks: list[tuple[int, str, float | None]] = [
        (90, f"sum({REMAINING})", 1),
        (300, f'count({PAGE[:-1]},harbor="B"}})', 1),
        (300, f'count({PAGE[:-1]},harbor="A"}})', None),
        (300, f"sum({REMAINING} < bool 0)", 1),
    ]
    check(tmp_path, Scenario(sli, series, checks))


UNITS = {
    "rate": "sum(rate(ops_total%s[{{.window}}]))",
    "rate a minute": "sum(rate(ops_total%s[{{.window}}])) * 60",
    "increase": "sum(increase(ops_total%s[{{.window}}]))",
    "increase over a number": "sum(increase(ops_total%s[{{.window}}]) / 300)",
    "samples counted": "sum(count_over_time((changed%s > 0)[{{.window}}:1s])) or on () vector(0)",
    "samples summed": "sum(sum_over_time(changed%s[{{.window}}]))",
}


@pytest.mark.parametrize("shared", [False, True], ids=["windows apart", "a long window shared"])
@pytest.mark.parametrize("unit", UNITS)
def test_two_bad_events_alert_nobody_and_three_do_whatever_the_querys_unit(
    tmp_path: Path, unit: str, shared: bool
) -> None:
    """With ten operations a minute, and a ticket tier that may share its long window with a page tier."""
    bad, total = UNITS[unit] % '{end="jam"}', UNITS[unit] % ""
    windows = WINDOWS
    if shared:
        windows = windows.replace(
            "quick: {errorBudgetPercent: 50, shortWindow: 40s, longWindow: 5m}",
            "quick: {errorBudgetPercent: 22, shortWindow: 30s, longWindow: 4m}",
        )
    jams = [400, 402, 404]  # seconds at which an operation jams
    steps = range(500)
    series = {
        'ops_total{end="ok"}': " ".join(str(at // 6) for at in steps),
        'ops_total{end="jam"}': " ".join(str(sum(jam <= at for jam in jams)) for at in steps),
        'changed{end="ok"}': " ".join(str(int(at % 6 == 0)) for at in steps),
        'changed{end="jam"}': " ".join(str(int(at in jams)) for at in steps),
    }
    checks: list[tuple[int, str, float | None]] = [
        (399, 'count(ALERTS{alertstate="firing"})', None),
        (401, 'count(ALERTS{alertstate="firing"})', None),
        (403, 'count(ALERTS{alertstate="firing"})', None),
        (406, f"count({PAGE})", 1),
        (408, f"count({TICKET})", 1),
    ]
    check(tmp_path, Scenario(events(bad, total), series, checks, windows=windows))


@pytest.mark.parametrize(
    "query",
    [
        "sum(avg_over_time(errors[{{.window}}]))",
        "sum(increase(ops_total[5m])) + 0 * sum(rate(ops_total[{{.window}}]))",
        "sum(rate(ops_total[{{.window}}])) / scalar(count(up))",
        "sum_over_time(rate(ops_total[1m])[{{.window}}:1m])",
    ],
)
def test_a_floor_in_an_unknown_unit_is_refused_with_file_line_and_key(tmp_path: Path, query: str) -> None:
    spec = tmp_path / "spec.yml"
    spec.write_text(
        "version: prometheus/v1\nservice: ferry\nslos:\n  - name: trips\n    objective: 99\n    sli:\n      events:\n"
        f"        error_query: {query}\n        total_query: sum(rate(ops_total[{{{{.window}}}}]))\n"
        "    alerting: {name: Burn}\n"
    )
    (tmp_path / "windows.yml").write_text(WINDOWS)
    windows = read_windows(tmp_path / "windows.yml")
    with pytest.raises(SpecError, match=r"spec.yml:8: slos\[0\].sli.events.error_query: its unit .*min_bad_events: 0"):
        render_slos(read_all([spec])[0][1], windows, "spec.yml")
    assert "Burn" in render_slos(read_all([spec], plain=True)[0][1], windows, "spec.yml")
    spec.write_text(spec.read_text().replace("alerting:", "policy: {min_bad_events: 0}\n    alerting:"))
    assert "Burn" in render_slos(read_all([spec])[0][1], windows, "spec.yml")
