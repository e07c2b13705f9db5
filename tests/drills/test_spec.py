"""A drill file says everything clearly or is refused by file, line and key."""

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


def drill(tmp_path: Path, text: str) -> Drill:
    file = tmp_path / "INC-001.yml"
    file.write_text(text)
    return load(file)


PIPELINE = Pipeline(scrape_interval_seconds=1, evaluation_interval_seconds=1, group_wait_seconds=1)


def test_the_control_is_the_last_of_the_catalogue() -> None:
    assert [one.id for one in catalogue()][-1] == "D0"


@pytest.mark.parametrize("one", catalogue(), ids=lambda one: one.id)
def test_every_drill_can_be_detected_and_its_runbook_has_the_branch_it_names(one: Drill) -> None:
    slo = find_slo(one.effect.slo) if one.effect else None
    prediction = predict(one, slo, load_windows(LAB), PIPELINE)
    assert (prediction is None) == one.is_control
    if one.expect.alert is not None:
        section = next(found for found in sections(RUNBOOKS) if found.anchor == one.expect.alert.lower())
        assert one.branch in [branch.title for branch in section.branches()]
        assert one.hints
    if one.effect is not None:
        assert set(one.services) <= {slo.service for slo in load_specs()}


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("kind: canary-ramp", "kind: canary-rampp", r"fault\.kind.*canary-rampp.*did you mean 'canary-ramp'"),
        ("hold_seconds: 5}", "hold_second: 5}", r"fault\.steps\[0\]\.hold_second: unknown key"),
        ("weight_percent: 50", "weight_percent: 150", r"fault\.steps\[1\]\.weight_percent: 150 is not from 0 to 100"),
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
        ("bad_ratio: 0.97", "bad_ratio: 0.97\n  profile: [{bad_ratio: 1}]", r"effect: either bad_ratio"),
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
def test_a_mistake_is_refused_with_its_file_line_and_key(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in INC
    with pytest.raises(SpecError, match=named) as refused:
        drill(tmp_path, INC.replace(old, new, 1))
    assert refused.value.line is not None
    assert "INC-001.yml" in str(refused.value)


def test_an_unknown_drill_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"'INC-999'.*INC-001.*D0"):
        find("INC-999")


def test_the_prediction_of_inc_001_is_the_arithmetic_of_the_design() -> None:
    one = find("INC-001")
    slo, windows = find_slo("feed-latency-p99"), load_windows(LAB)
    prediction = predict(one, slo, windows, PIPELINE)
    assert prediction is not None
    # 60 s x 14.4 x 0.01 = 8.64 bad seconds: some in five seconds at 5 %, the rest at 50 %, of which 97 % turn bad.
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
    ("text", "seconds", "said"),
    [
        ("kind: condition\n  true_after_seconds: 3\n  because: it is so", 3 + 15, "it is so"),
        ("kind: window-mean\n  window_seconds: 60\n  before: 1\n  after: 0.4\n  threshold: 0.9", 10 + 15, "= 10.0 s"),
    ],
)
def test_a_platform_alert_is_predicted_from_its_own_rule(tmp_path: Path, text: str, seconds: float, said: str) -> None:
    """CacheHitRatioLow must hold for 15 s: that is read from its rule, not from the drill."""
    one = drill(tmp_path, f"{PLATFORM}predict:\n  {text}\n")
    prediction = predict(one, None, load_windows(LAB), PIPELINE)
    assert prediction is not None
    assert prediction.alert == "CacheHitRatioLow"
    assert prediction.detection_seconds == pytest.approx(seconds)
    assert any(said in line for line in prediction.arithmetic)


def test_the_dead_mans_switch_is_predicted_from_its_own_patience(tmp_path: Path) -> None:
    text = PLATFORM.replace("ticket: CacheHitRatioLow", "page: Watchdog")
    prediction = predict(drill(tmp_path, f"{text}predict:\n  kind: silence\n"), None, load_windows(LAB), PIPELINE)
    assert prediction is not None
    assert prediction.detection_seconds == SILENT_SECONDS + PERIOD_SECONDS


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "say it, or predict by another kind"),
        ("predict:\n  kind: horoscope", "no kind 'horoscope'"),
        (
            "predict:\n  kind: window-mean\n  window_seconds: 60\n  before: 1\n  after: 0.95\n  threshold: 0.9",
            "never comes",
        ),
    ],
)
def test_a_prediction_that_cannot_be_made_is_refused(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SpecError, match=named):
        drill(tmp_path, f"{PLATFORM}{text}\n")


def test_what_may_fire_beside_is_what_the_drill_lists_and_nothing_else() -> None:
    expect = find("INC-001").expect
    assert expect.allows("FeedLatencyP99Burn", "page")
    assert expect.allows("FeedLatencyP99Burn", "ticket"), "the same bad events spend the same budget"
    assert expect.allows("FeedCanarySlowerThanStable", "ticket")
    assert not expect.allows("FeedLatencyP95Burn", "page")
    assert "Watchdog" in expect.silent()
    assert "FeedLatencyP99Burn" not in expect.silent()
    control = find("D0").expect
    assert set(control.silent()) == set(alerts.names())


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
def test_the_wait_for_a_page_is_read_from_alertmanagers_own_route(route: dict[str, object], seconds: float) -> None:
    assert group_wait_seconds(route) == seconds
