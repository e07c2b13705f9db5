"""The ladder of a rollout and the error-budget policy on the change page are those of the policy files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.errors import UsageError
from lab.site.render.html import Markup
from lab.site.sources.context import SiteContext
from lab.site.views.change import policies
from lab.site.views.change.simulations import simulated


def cells(table: Markup) -> list[list[str]]:
    """The text of each row's cells."""
    rows = re.findall(r"<tr.*?</tr>", str(table), re.DOTALL)
    plain = [
        [re.sub(r"<[^>]+>", " ", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)] for row in rows
    ]
    return [[" ".join(cell.split()) for cell in row] for row in plain]


@pytest.fixture
def site() -> SiteContext:
    return SiteContext()


def test_the_ladder_states_what_each_step_needs_and_what_could_page(site: SiteContext) -> None:
    head, *rows = cells(policies.rollout_ladder(site))
    assert head[0] == "Weight"
    assert [row[0] for row in rows] == ["5 %", "25 %", "50 %", "100 %"]
    assert [row[2] for row in rows] == ["74", "150", "303", "303"]
    assert "availability: 5.76 %" in rows[0][1]
    assert rows[0][4] == "never", "a wholly slow canary at 5 % is below every page tier's threshold"
    assert all(row[4].startswith("after ") for row in rows[1:])
    costs = [int(row[5].split()[0]) for row in rows]
    assert costs == sorted(costs), "a larger weight costs more"
    recorded = [row for row in simulated(site).detection if row.bad_ratio == 1]
    assert costs[:3] == [row.p95_bad_requests for row in recorded if row.weight_percent in (5, 25, 50)]
    assert rows[0][5].endswith("of the p99 budget")


def test_other_controllers_have_a_cell_with_sources_for_each_case_or_say_that_nothing_is_documented(
    site: SiteContext,
) -> None:
    table = policies.other_controllers(site)
    head, *rows = cells(table)
    assert head == ["Case", "Here", "Argo Rollouts", "Flagger", "Kayenta"]
    for row in rows:
        for cell in row[2:]:
            assert cell == "not documented" or re.search(r"\.(go|md|scala)$|issue \d+$|judge$|practices$", cell), cell
    assert "`" not in str(table)


def test_the_policy_table_has_every_state_and_what_it_refuses(site: SiteContext) -> None:
    _, *rows = cells(policies.error_budget_policy(site))
    assert [row[:3] for row in rows] == [
        ["open", "more than 50 %", "nothing"],
        ["careful", "10 % to 50 %", "schema"],
        ["restricted", "0 % to 10 %", "rollout, config, schema"],
        ["exhausted", "none", "rollout, config, schema"],
        ["burning", "any, while it burns fast enough for the slow-burn page", "rollout, config, schema"],
        ["unknown", "Prometheus cannot say", "rollout, schema"],
    ]


def test_a_value_of_the_policy_is_read_by_key(site: SiteContext, tmp_path: Path) -> None:
    assert [policies.rollout_policy(site, key) for key in ("alpha", "margin", "confidence", "tier")] == [
        "1\N{NO-BREAK SPACE}%", "2", "95\N{NO-BREAK SPACE}%", "fast-burn page",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="the rollout policy has no 'alfa'"):
        policies.rollout_policy(site, "alfa")
