"""Drill files: a mistake is refused with its file, line and key, and every drill's detection can be predicted."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.drills.pipeline import group_wait_seconds
from lab.drills.runbook.parser import sections
from lab.drills.spec import alerts
from lab.drills.spec.drill import Drill, catalogue, find, load
from lab.drills.spec.prediction import Pipeline, predict
from lab.errors import SpecError, UsageError
from lab.oncall.deadman import SILENT_SECONDS
from lab.oncall.ticker import PERIOD_SECONDS
from lab.paths import DRILLS, RUNBOOKS
from lab.slo.catalogue import LAB, find_slo, load_specs, load_windows

INC = (DRILLS / "INC-001.yml").read_text()


def drill_of(tmp_path: Path, text: str) -> Drill:
    file = tmp_path / "INC-001.yml"
    file.write_text(text)
    return load(file)


PIPELINE = Pipeline(scrape_interval_seconds=1, evaluation_interval_seconds=1, group_wait_seconds=1)


def test_the_control_is_the_last_of_the_catalogue() -> None:
    assert [drill.id for drill in catalogue()][-1] == "D0"


@pytest.mark.parametrize("drill", catalogue(), ids=lambda drill: drill.id)
def test_every_drill_can_be_detected_and_its_runbook_has_the_branch_it_names(drill: Drill) -> None:
    slo = find_slo(drill.effect.slo) if drill.effect else None
    prediction = predict(drill, slo, load_windows(LAB), PIPELINE)
    assert (prediction is None) == drill.is_control
    if drill.expect.alert is not None:
        section = next(section for section in sections(RUNBOOKS) if section.anchor == drill.expect.alert.lower())
        assert drill.branch in [branch.title for branch in section.branches()]
        assert drill.hints
    if drill.effect is not None:
        assert set(drill.services) <= {slo.service for slo in load_specs()}


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("kind: canary-ramp", "kind: canary-rampp", r"fault\.kind.*canary-rampp.*did you mean 'canary-ramp'"),
        ("hold_seconds: 5}", "hold_second: 5}", r"fault\.steps\[0\]\.hold_second: unknown key"),
        ("weight_percent: 50", "weight_percent: 150", r"fault\.steps\[1\]\.weight_percent: 150 must be from 0 to 100"),
        ("weight_percent: 50", "weight_percent: half", r"weight_percent: must be a number"),
        ("trigger: binary push", "trigger: gremlins", r"trigger.*gremlins"),
        ("title:", "titel:", r"titel: unknown key"),
        ("id: INC-001", "id: INC-002", r"id: 'INC-002' does not match"),
        ("  page: FeedLatencyP99Burn\n", "", r"expect: nothing detects"),
        (
            "  page: FeedLatencyP99Burn",
            "  page: FeedLatencyP9Burn",
            r"expect\.page: .*did you mean 'FeedLatencyP99Burn'",
        ),
        ("  page: FeedLatencyP99Burn", "  page: CacheHitRatioLow", r"expect\.page: no page 'CacheHitRatioLow'"),
        ("component: feed-canary", "component: feed-canari", r"component: .*did you mean 'feed-canary'"),
        ("bad_ratio: 0.97", "bad_ratio: 0.97\n  profile: [{bad_ratio: 1}]", r"effect: takes either bad_ratio"),
        ("runbook:\n  branch:", "runbook:\n  brunch:", r"runbook\.brunch: unknown key"),
        ("    - fleetops scale feed 3", "    - rm -rf /", r"not a fleetops command"),
        (
            "    - fleetops scale feed 3",
            "    - fleetops scale feed 3\n  may_ticket: [ProcessRestart]",
            r"decoy\.may_ticket\[0\]: .*did you mean 'ProcessRestarted'",
        ),
        (
            "  page: FeedLatencyP99Burn",
            "  page: FeedLatencyP99Burn\n  unmitigated: {pages: [UserLatencyP99Burn]}",
            r"expect\.unmitigated\.pages: unknown key",
        ),
        ("  hold_seconds: 30\n", "", r"limits: hold_seconds is missing"),
        ("severity: SEV2", "severity: SEV2\nseverity: SEV1", r"severity: is a duplicate key"),
    ],
)
def test_a_mistake_in_a_drill_file_is_refused_with_its_file_line_and_key(
    tmp_path: Path, old: str, new: str, named: str
) -> None:
    assert old in INC
    with pytest.raises(SpecError, match=named) as refused:
        drill_of(tmp_path, INC.replace(old, new, 1))
    assert refused.value.line is not None
    assert "INC-001.yml" in str(refused.value)


def test_an_unknown_drill_is_refused_with_the_existing_ids() -> None:
    with pytest.raises(UsageError, match=r"'INC-999'.*INC-001.*D0"):
        find("INC-999")


def test_the_prediction_of_inc_001_is_the_burn_rate_arithmetic() -> None:
    slo, windows = find_slo("feed-latency-p99"), load_windows(LAB)
    prediction = predict(find("INC-001"), slo, windows, PIPELINE)
    assert prediction is not None
    # 60 s x 14.4 x 0.01 = 8.64 bad seconds: some in five seconds at 5 %, the rest at 50 %, of which 97 % are bad.
    e = 0.5 * 0.97
    assert prediction.detection_seconds == pytest.approx(5 + (8.64 - 5 * 0.05 * 0.97) / e + 0.6, abs=0.005)
    assert prediction.allowance_seconds == 1 + 2 * 1 + 1
    assert any("17.8 s" in line for line in prediction.arithmetic)


def test_a_control_has_no_prediction() -> None:
    assert predict(find("D0"), None, load_windows(LAB), PIPELINE) is None


PLATFORM = (
    INC[: INC.index("effect:")]
    + INC[INC.index("limits:") :]
    + """
expect:
  ticket: CacheHitRatioLow
"""
)


@pytest.mark.parametrize(
    ("text", "seconds", "arithmetic"),
    [
        ("kind: condition\n  true_after_seconds: 3\n  because: it is so", 3 + 15, "it is so"),
        ("kind: window-mean\n  window_seconds: 60\n  before: 1\n  after: 0.4\n  threshold: 0.9", 10 + 15, "= 10.0 s"),
    ],
)
def test_a_platform_alert_is_predicted_with_the_for_of_its_rule(
    tmp_path: Path, text: str, seconds: float, arithmetic: str
) -> None:
    """The 15 s for which CacheHitRatioLow must hold are read from its rule, not from the drill."""
    drill = drill_of(tmp_path, f"{PLATFORM}predict:\n  {text}\n")
    prediction = predict(drill, None, load_windows(LAB), PIPELINE)
    assert prediction is not None
    assert prediction.alert == "CacheHitRatioLow"
    assert prediction.detection_seconds == pytest.approx(seconds)
    assert any(arithmetic in line for line in prediction.arithmetic)


def test_the_dead_mans_switch_is_predicted_from_its_timeout(tmp_path: Path) -> None:
    text = PLATFORM.replace("ticket: CacheHitRatioLow", "page: Watchdog")
    drill = drill_of(tmp_path, f"{text}predict:\n  kind: silence\n")
    prediction = predict(drill, None, load_windows(LAB), PIPELINE)
    assert prediction is not None
    assert prediction.detection_seconds == SILENT_SECONDS + PERIOD_SECONDS


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "add effect, or another kind of predict"),
        ("predict:\n  kind: horoscope", "no kind 'horoscope'"),
        (
            "predict:\n  kind: window-mean\n  window_seconds: 60\n  before: 1\n  after: 0.95\n  threshold: 0.9",
            "never fires",
        ),
    ],
)
def test_an_impossible_prediction_is_refused(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SpecError, match=named):
        drill_of(tmp_path, f"{PLATFORM}{text}\n")


def test_only_the_alerts_that_a_drill_lists_may_fire() -> None:
    expect = find("INC-001").expect
    assert expect.allows("FeedLatencyP99Burn", "page")
    assert expect.allows("FeedLatencyP99Burn", "ticket"), "the same bad events spend the same budget"
    assert expect.allows("BudgetExhausted", "ticket"), "the same bad events spend the same budget"
    assert expect.allows("FeedCanarySlowerThanStable", "ticket")
    assert not expect.allows("FeedLatencyP95Burn", "page")
    assert "Watchdog" in expect.silent()
    assert "FeedLatencyP99Burn" not in expect.silent()
    control = find("D0").expect
    assert set(control.silent()) == set(alerts.names())


def test_the_tickets_about_capacity_may_fire_in_an_incident_and_not_in_a_control() -> None:
    assert {"CpuHeadroomLow", "ThreadSaturation", "PeakAboveNMinusOne"} <= alerts.of_capacity()
    for name in alerts.of_capacity():
        assert find("INC-008").expect.allows(name, "ticket")
        assert not find("INC-008").expect.allows(name, "page")
        assert not find("D0").expect.allows(name, "ticket")


@pytest.mark.parametrize(
    ("route", "seconds"),
    [
        ({"group_wait": "1s"}, 1),
        ({"group_wait": "500ms"}, 0.5),
        ({}, 30),
        ({"group_wait": "9s", "routes": [{"matchers": ['severity = "page"'], "group_wait": "2s"}]}, 2),
        ({"group_wait": "9s", "routes": [{"matchers": ['severity = "ticket"'], "group_wait": "2s"}]}, 9),
    ],
)
def test_the_group_wait_of_a_page_is_read_from_alertmanagers_route(route: dict[str, object], seconds: float) -> None:
    assert group_wait_seconds(route) == seconds
