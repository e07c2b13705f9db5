"""Sloth's public dashboards read what our rules record, so they show our SLOs without a change.

They are https://grafana.com/grafana/dashboards/14348 (the details of an SLO) and 14643 (all SLOs). QUERIES are those of
14348, read in its JSON. For 14643, and for others that are built on Sloth, METADATA is checked: the series that Sloth
records for dashboards, with the labels by which they select.
"""

from __future__ import annotations

import re

import pytest

from lab.slo.catalogue import LAB, PRODUCTION, committed, load_specs
from lab.slo.query.tree import parse, selectors
from lab.slo.rule_files import LoadedRule, read_groups

ONE = 'sloth_service="${service}", sloth_slo="${slo}"'
THIS_MONTH = "* on() group_left() (month() == bool vector(12))"
MONTH = (
    f"1 - (sum_over_time((slo:sli_error:ratio_rate1h{{{ONE}}} {THIS_MONTH})[32d:1h])"
    f" / on(sloth_id) (slo:error_budget:ratio{{{ONE}}} * on() group_left() (24 * days_in_month())))"
)
QUERIES = (
    "slo:current_burn_rate:ratio > 1",
    f"slo:objective:ratio{{{ONE}}}",
    f"1 - (max(slo:sli_error:ratio_rate${{sli_window}}{{{ONE}}}) OR on() vector(0))",
    f"slo:current_burn_rate:ratio{{{ONE}}} or on() vector(0)",
    f"slo:period_error_budget_remaining:ratio{{{ONE}}} or on() vector(1)",
    f'max(ALERTS{{{ONE}, sloth_severity="ticket"}}) OR on() vector(0)',
    f'max(ALERTS{{{ONE}, sloth_severity="page"}}) or on() vector(0)',
    MONTH,
)
SLI_WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")  # that 14348 offers
METADATA = (
    "slo:objective:ratio",
    "slo:error_budget:ratio",
    "slo:time_period:days",
    "slo:current_burn_rate:ratio",
    "slo:period_burn_rate:ratio",
    "slo:period_error_budget_remaining:ratio",
    "sloth_slo_info",
)
IDS = [slo.sloth_id for slo in load_specs()]


def rules(profile: str, sloth_id: str) -> list[LoadedRule]:
    """The generated rules of one SLO."""
    files = [committed().generated_file(profile, spec) for spec in committed().spec_files]
    every = (rule for file in files for group in read_groups(file) for rule in group.rules)
    return [rule for rule in every if rule.labels.get("sloth_id") == sloth_id]


def series(profile: str, sloth_id: str) -> list[tuple[str, dict[str, str]]]:
    """The series of one SLO, with the labels of its rules."""
    return [(rule.record or "ALERTS", rule.labels) for rule in rules(profile, sloth_id)]


def finds(query: str, sloth_id: str, profile: str) -> bool:
    """Whether each selector of a query selects a series of an SLO."""
    (slo,) = [slo for slo in load_specs() if slo.sloth_id == sloth_id]
    filled = query.replace("${service}", slo.service).replace("${slo}", slo.name)
    return all(
        any(
            name == selector.metric and all(labels.get(match.label) == match.value for match in selector.matchers)
            for name, labels in series(profile, sloth_id)
        )
        for selector in selectors(parse(filled))
    )


@pytest.mark.parametrize("sloth_id", IDS)
@pytest.mark.parametrize("query", [query for query in QUERIES if "${sli_window}" not in query])
def test_every_query_of_the_detail_dashboard_finds_our_series(query: str, sloth_id: str) -> None:
    assert finds(query, sloth_id, PRODUCTION)


@pytest.mark.parametrize("sloth_id", IDS)
@pytest.mark.parametrize("window", SLI_WINDOWS)
def test_every_window_that_the_detail_dashboard_offers_is_recorded(window: str, sloth_id: str) -> None:
    (query,) = [query for query in QUERIES if "${sli_window}" in query]
    assert finds(query.replace("${sli_window}", window), sloth_id, PRODUCTION)


@pytest.mark.parametrize("sloth_id", IDS)
@pytest.mark.parametrize("profile", [PRODUCTION, LAB])
def test_the_series_of_overview_dashboards_carry_sloths_labels(profile: str, sloth_id: str) -> None:
    recorded = dict(series(profile, sloth_id))
    assert set(METADATA) <= recorded.keys()
    for name in METADATA:
        assert {"sloth_id", "sloth_service", "sloth_slo"} <= recorded[name].keys()
    severities = {rule.labels["sloth_severity"] for rule in rules(profile, sloth_id) if rule.alert}
    assert severities == {"page", "ticket"}


def test_the_lab_has_its_own_windows_and_all_else_that_the_detail_dashboard_reads() -> None:
    """14348 offers production's windows only: for the lab, add 5s, 1m and so on to its variable `sli_window`."""
    lab_windows = {
        match[1] for name, _ in series(LAB, IDS[0]) if (match := re.fullmatch(r"slo:sli_error:ratio_rate(\w+)", name))
    }
    assert lab_windows == {"5s", "30s", "1m", "2m", "6m", "24m", "1h12m", "12h"}
    unmet = [query for query in QUERIES if "${sli_window}" not in query and not finds(query, IDS[0], LAB)]
    assert unmet == [MONTH]


def test_a_query_of_another_generator_is_not_found() -> None:
    assert not finds('slo:objective:ratio{sloth_service="${service}", slo="${slo}"}', IDS[0], PRODUCTION)
