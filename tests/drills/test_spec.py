"""A drill file says everything clearly or is refused by file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.drills import promise
from lab.drills.faults import FAULTS
from lab.drills.prediction import Pipeline, predict
from lab.drills.spec import Drill, catalogue, find, load
from lab.errors import SpecError, UsageError
from lab.places import DRILLS

INC = (DRILLS / "INC-001.yml").read_text()


def drill(tmp_path: Path, text: str) -> Drill:
    file = tmp_path / "INC-001.yml"
    file.write_text(text)
    return load(file)


def test_the_catalogue_loads_and_its_alerts_and_slos_exist() -> None:
    drills = catalogue()
    alerts = {slo.alert_name for slo, _ in promise.all_slos().values()}
    assert [one.id for one in drills][-1] == "D0"
    for one in drills:
        assert set(one.expect.silent) <= alerts
        assert one.expect.page is None or one.expect.page in alerts
        assert one.effect is None or promise.find(one.effect.slo)[0].alert_name == one.expect.page


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("kind: canary-ramp", "kind: canary-rampp", r"fault\.kind.*canary-rampp.*canary-ramp"),
        ("hold_seconds: 5}", "hold_second: 5}", r"fault\.steps\[0\]\.hold_second: unknown key"),
        ("weight_percent: 50", "weight_percent: 150", r"fault\.steps\[1\]\.weight_percent: 150 is not from 0 to 100"),
        ("weight_percent: 50", "weight_percent: half", r"weight_percent: must be a number"),
        ("trigger: binary push", "trigger: gremlins", r"trigger.*gremlins"),
        ("title:", "titel:", r"titel: unknown key"),
        ("id: INC-001", "id: INC-002", r"id: 'INC-002' does not match"),
        ("  page: FeedLatencyP99Burn\n", "", r"effect"),
        ("    - FeedAvailabilityBurn", "    - FeedLatencyP99Burn", r"cannot both page and stay silent"),
        ("    - fleetops scale feed 3", "    - rm -rf /", r"not a fleetops command"),
        ("  hold_seconds: 30\n", "", r"limits: hold_seconds is missing"),
        ("severity: SEV2", "severity: SEV2\nseverity: SEV1", r"severity: is written twice"),
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


def test_every_fault_refuses_parameters_it_does_not_know(tmp_path: Path) -> None:
    for kind in FAULTS:
        with pytest.raises(SpecError):
            drill(tmp_path, INC.replace("kind: canary-ramp", f"kind: {kind}\n  gremlin: 1"))


def test_the_prediction_of_inc_001_is_the_arithmetic_of_the_design() -> None:
    one = find("INC-001")
    slo, windows = promise.find("feed-latency-p99")[0], promise.windows()
    pipeline = Pipeline(scrape_interval_seconds=1, evaluation_interval_seconds=1, group_wait_seconds=1)
    prediction = predict(one, slo, windows, pipeline)
    assert prediction is not None
    # 60 s x 14.4 x 0.01 = 8.64 bad seconds: some in five seconds at 5 %, the rest at 50 %, of which 97 % turn bad.
    e = 0.5 * 0.97
    assert prediction.detection_seconds == pytest.approx(5 + (8.64 - 5 * 0.05 * 0.97) / e + 0.6)
    assert prediction.allowance_seconds == 1 + 2 * 1 + 1
    assert any("17.8 s" in line for line in prediction.arithmetic)


def test_a_control_has_no_prediction() -> None:
    assert predict(find("D0"), None, promise.windows(), Pipeline(1, 1, 1)) is None


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
    assert promise.group_wait_seconds(route) == seconds
