"""The rules that `fleetops slo generate` writes, and the names and labels in them that users rely on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from lab.cli.slo import slo as command
from lab.errors import LabError, UsageError
from lab.paths import ROOT, RULES
from lab.slo import (
    LAB,
    PRODUCTION,
    PROFILES,
    find_slo,
    load_specs,
    load_windows,
    route,
    time_factor,
)
from lab.slo.catalogue import committed
from lab.slo.check import drift
from lab.slo.generate import PLAIN, render_slos
from lab.slo.model import Slo
from lab.slo.rendering.rules import generate
from lab.slo.rule_files import read_groups

OBJECTIVES = {
    "feed-availability": (0.999, "FeedAvailabilityBurn"),
    "feed-latency-p95": (0.95, "FeedLatencyP95Burn"),
    "feed-latency-p99": (0.99, "FeedLatencyP99Burn"),
    "user-availability": (0.9995, "UserAvailabilityBurn"),
    "user-latency-p95": (0.95, "UserLatencyP95Burn"),
    "user-latency-p99": (0.99, "UserLatencyP99Burn"),
}


def rules_of(slo: Slo, profile: str = PRODUCTION) -> dict[str, Any]:
    """The expressions of an SLO's rules by name, for alerts by name/severity."""
    groups = yaml.safe_load(render_slos([slo], load_windows(profile), "a spec"))["groups"]
    return {
        rule.get("record") or f"{rule['alert']}/{rule['labels']['severity']}": rule["expr"]
        for group in groups
        for rule in group["rules"]
    }


def test_the_six_slos_have_the_published_objectives() -> None:
    assert {slo.sloth_id: (slo.objective_ratio, slo.alert_name) for slo in load_specs()} == OBJECTIVES


def test_every_slo_names_the_route_that_it_measures() -> None:
    assert {slo.service: route(slo) for slo in load_specs()} == {
        "feed": "/v1/feed/{user_id}",
        "user": "/v1/users/{user_id}",
    }


def test_an_unknown_slo_or_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no SLO 'shop'; there are feed-availability, "):
        find_slo("shop")
    with pytest.raises(UsageError, match="no windows 'moon'; there are production, lab"):
        load_windows("moon")


def test_lab_windows_are_production_windows_divided_by_the_time_factor() -> None:
    lab, production = load_windows(LAB), load_windows(PRODUCTION)
    assert time_factor() == 60
    assert production.period_seconds == 60 * lab.period_seconds
    for tier, original in zip(lab.tiers, production.tiers, strict=True):
        assert (60 * tier.short_seconds, 60 * tier.long_seconds) == (original.short_seconds, original.long_seconds)
        assert (tier.factor, tier.severity, tier.speed) == (original.factor, original.severity, original.speed)


def test_the_tiers_are_those_of_the_sre_workbook() -> None:
    assert [(t.name, t.factor, t.short_seconds, t.long_seconds) for t in load_windows(PRODUCTION).tiers] == [
        ("page.quick", 14.4, 300, 3600),
        ("page.slow", 6, 1800, 21600),
        ("ticket.quick", 3, 7200, 86400),
        ("ticket.slow", 1, 21600, 259200),
    ]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_alert_has_severity_service_runbook_and_dashboard(profile: str) -> None:
    groups = [group for file in committed().rule_files(profile) for group in read_groups(file)]
    alerts = [rule for group in groups for rule in group.rules if rule.alert]
    assert len(alerts) > 12
    for rule in alerts:
        assert {"severity", "service"} <= rule.labels.keys(), rule.alert
        assert {"summary", "description", "runbook_url", "dashboard_url"} <= rule.annotations.keys(), rule.alert
        anchor = f"{{{{ $externalLabels.site }}}}/03_runbooks/#{rule.alert.lower()}"
        assert rule.annotations["runbook_url"] == anchor
        assert rule.labels["severity"] in {"page", "ticket", "none"}


def test_recorded_series_have_sloths_names_with_the_profiles_windows() -> None:
    names = rules_of(find_slo("feed-latency-p99"), LAB)
    windows = ("5s", "30s", "1m", "2m", "6m", "24m", "1h12m", "12h")
    assert {f"slo:sli_error:ratio_rate{window}" for window in windows} <= names.keys()
    assert {"slo:objective:ratio", "slo:error_budget:ratio", "slo:time_period:days"} <= names.keys()
    assert {"slo:current_burn_rate:ratio", "slo:period_burn_rate:ratio", "sloth_slo_info"} <= names.keys()
    assert "slo:period_error_budget_remaining:ratio" in names


def test_without_guards_an_alerts_ratio_is_just_errors_over_total() -> None:
    guarded, plain = (
        rules_of(find_slo("feed-availability")),
        rules_of(replace(find_slo("feed-availability"), policy=PLAIN)),
    )
    assert "clamp" in guarded["slo:sli_error:ratio_rate1h"]
    ratios = {name: expr for name, expr in plain.items() if ":ratio_rate" in name and not name.endswith("30d")}
    assert len(ratios) == len(load_windows(PRODUCTION).all_seconds)
    assert not any("clamp" in expr or "> 0" in expr for expr in ratios.values())
    assert "slo:sli_seen:timestamp_seconds" not in plain


def test_output_is_deterministic() -> None:
    slos = load_specs()
    assert render_slos(slos, load_windows(LAB), "x") == render_slos(slos, load_windows(LAB), "x")


def test_a_disabled_alert_is_not_generated() -> None:
    slo = find_slo("feed-availability")
    slo = replace(slo, alerts=slo.alerts | {"ticket": replace(slo.alerts["ticket"], enabled=False)})
    assert [name for name in rules_of(slo) if name.startswith("Feed")] == ["FeedAvailabilityBurn/page"]


def test_alerts_use_ratios_of_the_same_evaluation() -> None:
    """A page is in one group with its windows' ratios, which come first; a ticket with its longer windows'."""
    page, ticket, budget = generate(find_slo("feed-availability"), load_windows(PRODUCTION))
    for group, severity in ((page, "page"), (ticket, "ticket")):
        kinds = [rule.kind for rule in group.rules]
        assert kinds == sorted(kinds, reverse=True)
        assert group.rules[-1].labels["severity"] == severity
    assert (page.interval_seconds, ticket.interval_seconds, budget.interval_seconds) == (None, 150, 150)


def test_without_guards_a_ticket_is_evaluated_as_often_as_a_page() -> None:
    """As in Sloth, so that `--plain` fires and resolves when Sloth does."""
    first, _ = generate(replace(find_slo("feed-availability"), policy=PLAIN), load_windows(PRODUCTION))
    assert [rule.labels["severity"] for rule in first.rules if rule.kind == "alert"] == ["page", "ticket"]
    assert first.interval_seconds is None


def test_every_rule_file_exists() -> None:
    for profile in PROFILES:
        assert all(path.is_file() for path in committed().rule_files(profile))


@pytest.mark.promtool
def test_committed_rules_and_proofs_match_the_specs() -> None:
    assert list(drift()) == []


@pytest.mark.promtool
def test_a_drifted_file_is_named_with_the_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`fleetops slo check` exits 1 and names the file that differs from its spec."""
    real = Path.read_text

    def edited(path: Path, encoding: str | None = None, errors: str | None = None) -> str:
        text = real(path, encoding=encoding, errors=errors)
        return (
            text.replace("> 14.4 *", "> 12 *") if path.name == "feed.rules.yml" and path.parent.name == "lab" else text
        )

    monkeypatch.setattr(Path, "read_text", edited)
    result = CliRunner().invoke(command, ["check"])
    assert isinstance(result.exception, LabError)
    assert result.exception.exit_status == 1
    assert str(result.exception).startswith("rules/lab/feed.rules.yml:")
    assert "production" not in str(result.exception)


@pytest.mark.promtool
def test_generate_with_a_spec_prints_rules_that_load(tmp_path: Path) -> None:
    spec, out = RULES / "slos" / "feed.yml", tmp_path / "feed.rules.yml"
    printed = CliRunner().invoke(command, ["generate", "--spec", str(spec)])
    assert printed.exit_code == 0, printed.output
    written = CliRunner().invoke(command, ["generate", "--spec", str(spec), "--out", str(out)])
    assert written.exit_code == 0, written.output
    assert out.read_text() == printed.stdout
    committed = (RULES / "production" / "feed.rules.yml").read_text()
    assert out.read_text() == committed
    assert str(ROOT) not in committed


def test_options_that_need_a_spec_are_refused_without_one() -> None:
    result = CliRunner().invoke(command, ["generate", "--plain"])
    assert isinstance(result.exception, UsageError)
