"""What keeps a drill from starting, and what does not."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import names
from lab.control.desk import Desk
from lab.control.prometheus import Prometheus, Sample
from lab.drills import promise
from lab.drills.faults.doors import Doors
from lab.drills.incident import Incident
from lab.drills.spec import Drill, find
from lab.drills.steady import _disturbs, _unsteady, paused, steady_state, whole_windows
from lab.errors import LabError
from lab.slo import promtool, series


def alert(name: str, severity: str, state: str = "firing", **labels: str) -> dict[str, Any]:
    return {"state": state, "labels": {"alertname": name, "severity": severity, **labels}}


@pytest.fixture
def drill() -> Drill:
    """One with a load, of which it says that CacheHitRatioLow may fire."""
    drill = find("INC-008")
    return replace(drill, expect=replace(drill.expect, may={"ticket": frozenset({"CacheHitRatioLow"})}))


@pytest.mark.parametrize(
    ("loud", "told"),
    [
        (alert("TargetDown", "ticket", "pending"), "TargetDown is pending"),
        (alert("UserAvailabilityBurn", "page", sloth_id="user-availability"), "UserAvailabilityBurn is firing"),
        (alert("UserAvailabilityBurn", "ticket", sloth_id="user-availability"), ""),
        (alert("Watchdog", "none"), ""),
        (alert("CacheHitRatioLow", "ticket"), ""),
        (alert("CacheHitRatioLow", "page"), "CacheHitRatioLow is firing"),
    ],
)
def test_an_alert_that_the_load_brings_about_disturbs_nobody_and_any_other_does(
    drill: Drill, loud: dict[str, Any], told: str
) -> None:
    assert _disturbs(loud, drill) == told


def test_without_a_load_every_platform_alert_disturbs(drill: Drill) -> None:
    assert _disturbs(alert("CacheHitRatioLow", "ticket"), replace(drill, load=())) == "CacheHitRatioLow is firing"


def test_before_a_control_a_ticket_that_it_does_not_wait_for_disturbs_nobody(drill: Drill) -> None:
    left_over, paging = alert("ProcessRestarted", "ticket"), alert("ProcessCrashLooping", "page")
    assert _disturbs(left_over, drill, control=True) == ""
    assert _disturbs(left_over, drill) == "ProcessRestarted is firing"
    assert _disturbs(paging, drill, control=True) == "ProcessCrashLooping is firing"
    awaited = alert(drill.expect.alert or "", "ticket")
    assert _disturbs(awaited, replace(drill, load=()), control=True) == f"{drill.expect.alert} is firing"


class Young(Prometheus):
    """Of a lab that was watched for `age_seconds`; `late_ratio` of the feeds were late for the p95 in that time."""

    def __init__(self, age_seconds: int, late_ratio: float) -> None:
        super().__init__("http://127.0.0.1:9")
        self.age_seconds, self.late_ratio = age_seconds, late_ratio

    def alerts(self) -> list[dict[str, Any]]:
        return []

    def instant(self, query: str, at: float | None = None) -> list[Sample]:
        assert at is None, "what is asked is asked of now"
        if watched := re.fullmatch(r'count_over_time\(up\{job="gateway"}\[(\d+)s]\) >= (\d+)', query):
            window, least = map(int, watched.groups())
            scrapes = min(window, self.age_seconds)
            return [Sample({}, scrapes)] if scrapes >= least else []
        if query.startswith("min_over_time(up["):
            return []
        if "feed-latency-p95" not in query:
            return [Sample({}, 0.0)]
        # The rules guard the windows from a minute on: what has not been seen counts as good.
        thinned = min(1.0, self.age_seconds / 60) if "ratio_rate1m" in query else 1.0
        return [Sample({}, self.late_ratio * thinned)]


def test_a_lab_with_a_silence_is_not_steady(desk: Desk, drill: Drill) -> None:
    """The page that the drill waits for may reach nobody."""

    class Silenced(Young):
        def number(self, query: str, at: float | None = None) -> float | None:
            return 2.0 if query == names.SILENCES_ACTIVE else super().number(query, at)

    silenced = replace(desk, prometheus=Silenced(90, 0.0))
    incident = Incident(drill, silenced, None, None, promise.windows(), "autopilot", lambda _: None, Doors(silenced))
    assert _unsteady(incident).startswith("2 silences are active in Alertmanager")


@pytest.mark.parametrize(
    ("responder", "age_seconds", "late_ratio", "told"),
    [
        ("autopilot", 20, 0.0, "the gateway has not been watched for 30 s yet"),
        ("autopilot", 29, 0.0, ""),
        ("autopilot", 29, 0.04, ""),
        ("autopilot", 29, 0.08, "feed-latency-p95 had 8.00% bad events in the last 30 s, more than 5.00%"),
        ("autopilot", 90, 0.08, "feed-latency-p95 had 8.00% bad events in the last 60 s, more than 5.00%"),
        ("none", 7, 0.0, "the gateway has not been watched for 10 s yet"),
        ("none", 20, 0.08, "feed-latency-p95 had 8.00% bad events in the last 10 s, more than 5.00%"),
        ("none", 20, 0.0, ""),
    ],
)
def test_a_young_lab_is_judged_by_what_was_seen_of_it(
    desk: Desk, drill: Drill, responder: str, age_seconds: int, late_ratio: float, told: str
) -> None:
    young = replace(desk, prometheus=Young(age_seconds, late_ratio))
    incident = Incident(drill, young, None, None, promise.windows(), responder, lambda _: None, Doors(young))
    assert _unsteady(incident) == told


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        pytest.param("0+1x600", 0, id="always seen"),
        pytest.param("_x500 501+1x99", 0, id="new"),
        pytest.param("0+1x400 _x119 521+1x79", 120, id="off and on again"),
        pytest.param("0+1x200 _x299 501+1x99", 0, id="off for so long that nothing is left of the time before"),
    ],
)
def test_a_pause_is_what_a_window_takes_for_seen_and_was_not(tmp_path: Path, values: str, missing: int) -> None:
    watched = {"series": f'{series.SEEN}{{sloth_id="a"}}', "values": values}
    near = f"abs({paused(360)} - {missing}) < bool 2"
    look = {"eval_time": "600s", "expr": near, "exp_samples": [{"labels": "{}", "value": 1}]}
    test = {"tests": [{"interval": "1s", "input_series": [watched], "promql_expr_test": [look]}]}
    (tmp_path / "case.test.yml").write_text(yaml.safe_dump(test))
    result = promtool.run(["test", "rules", tmp_path / "case.test.yml"])
    assert result.returncode == 0, result.stdout + result.stderr


class Paused(Prometheus):
    """Of a lab that was off for `pause_seconds`, which leave the window after `looks` looks at it; None: never."""

    def __init__(self, pause_seconds: float, looks: int | None) -> None:
        super().__init__("http://127.0.0.1:9")
        self.pause_seconds, self.looks = pause_seconds, looks

    def number(self, query: str, at: float | None = None) -> float | None:
        assert at is None
        assert query == paused(360)
        if self.looks is not None:
            self.looks -= 1
        return 0.0 if self.looks is not None and self.looks < 0 else self.pause_seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What time it is, in seconds; waiting takes none of the test's."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def test_a_drill_waits_until_its_windows_hold_no_pause_and_says_for_how_long(desk: Desk, clock: list[float]) -> None:
    told: list[str] = []
    whole_windows(replace(desk, prometheus=Paused(240, looks=40)), promise.windows(), told.append)
    assert clock == [40]
    assert told[0] == (
        "the lab was off for 240 s of the last 360: the drill starts when no page window reaches back to before that,"
        " in 360 s at the latest"
    )
    assert [text.rsplit(", ", 1)[1] for text in told] == [f"in {left} s at the latest" for left in (360, 344, 328)]


def test_a_drill_does_not_wait_for_a_short_pause(desk: Desk, clock: list[float]) -> None:
    whole_windows(
        replace(desk, prometheus=Paused(60, looks=None)), promise.windows(), lambda _: pytest.fail("it waits")
    )
    assert clock == [0]


def test_a_lab_that_is_never_whole_is_named(desk: Desk, clock: list[float]) -> None:
    with pytest.raises(LabError, match="the lab was not watched for 240 s of the last 360 s; see 'fleetops status'"):
        whole_windows(replace(desk, prometheus=Paused(240, looks=None)), promise.windows(), lambda _: None)
    assert clock[0] > 360


def test_a_lab_that_does_not_become_steady_is_told_of_again_and_again_and_then_named(
    desk: Desk, drill: Drill, clock: list[float]
) -> None:
    young, told = replace(desk, prometheus=Young(20, 0.0)), list[str]()
    incident = Incident(drill, young, None, None, promise.windows(), "autopilot", told.append, Doors(young))
    reason = "the gateway has not been watched for 30 s yet"
    with pytest.raises(LabError, match=f"not steady after 180 s: {reason}; see 'fleetops status'"):
        steady_state(incident)
    assert clock == [181]
    assert [text.strip() for text in told[1:]] == [f"not steady yet: {reason}"] * 11
