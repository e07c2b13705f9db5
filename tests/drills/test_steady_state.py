"""What keeps a drill from starting, and what does not."""

from __future__ import annotations

import math
import re
import time
from dataclasses import replace
from typing import Any

import pytest

from lab import names
from lab.clients.prometheus import Prometheus, Sample
from lab.control.lab_clients import LabClients
from lab.drills.faults.context import FaultContext
from lab.drills.run.incident import Incident
from lab.drills.run.steady_state import _disturbs, _unsteady, steady_state
from lab.drills.spec.drill import Drill, find
from lab.errors import LabError, Void
from lab.slo.catalogue import LAB, load_windows
from lab.stack.health import machine


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
        (alert("UserAvailabilityBurn", "page", "pending", sloth_id="user-availability"), ""),
        (alert("UserAvailabilityBurn", "ticket", sloth_id="user-availability"), "UserAvailabilityBurn is firing"),
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


def test_where_the_history_is_kept_the_ticket_of_an_earlier_incident_disturbs_nobody(drill: Drill) -> None:
    assert _disturbs(alert("UserAvailabilityBurn", "ticket", sloth_id="a"), drill, kept_history=True) == ""
    platform, page = alert("ProcessRestarted", "ticket"), alert("UserAvailabilityBurn", "page", sloth_id="a")
    assert _disturbs(platform, drill, kept_history=True) == "ProcessRestarted is firing"
    assert _disturbs(page, drill, kept_history=True) == "UserAvailabilityBurn is firing"


class Young(Prometheus):
    """Of a lab that was watched for `age_seconds`; `late_ratio` of the feeds were late for the p95 in that time."""

    def __init__(self, age_seconds: int, late_ratio: float) -> None:
        super().__init__("http://127.0.0.1:9")
        self.age_seconds, self.late_ratio = age_seconds, late_ratio

    def alerts(self) -> list[dict[str, Any]]:
        return []

    def instant(self, query: str, at: float | None = None) -> list[Sample]:
        assert at is None, "what is asked is asked of now"
        if query == machine.too_busy_query():
            return []
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


def test_a_lab_with_a_silence_is_not_steady(clients: LabClients, drill: Drill) -> None:
    """The page that the drill waits for may reach nobody."""

    class Silenced(Young):
        def number(self, query: str, at: float | None = None) -> float | None:
            return 2.0 if query == names.SILENCES_ACTIVE else super().number(query, at)

    silenced = replace(clients, prometheus=Silenced(90, 0.0))
    incident = Incident(
        drill, silenced, None, None, load_windows(LAB), "autopilot", lambda _: None, FaultContext(silenced)
    )
    assert _unsteady(incident).startswith("2 silences are active in Alertmanager")


class Busy(Young):
    """Of a machine that is too busy for the first `looks` looks at it; the lab itself is as it must be."""

    def __init__(self, looks: float) -> None:
        super().__init__(90, 0.0)
        self.looks = looks

    def number(self, query: str, at: float | None = None) -> float | None:
        if query == machine.too_busy_query():
            self.looks -= 1
            return 0.8 if self.looks >= 0 else None
        return super().number(query, at)


def test_a_drill_waits_for_a_machine_that_is_too_busy(clients: LabClients, drill: Drill, clock: list[float]) -> None:
    busy, told = replace(clients, prometheus=Busy(40)), list[str]()
    steady_state(Incident(drill, busy, None, None, load_windows(LAB), "autopilot", told.append, FaultContext(busy)))
    assert clock == [40], "it looks once a second of waiting"
    assert any("this machine is too busy: other programs use 80% of its processors" in line for line in told)


def test_a_drill_whose_machine_stays_too_busy_is_void_and_no_failure(
    clients: LabClients, drill: Drill, clock: list[float]
) -> None:
    busy = replace(clients, prometheus=Busy(math.inf))
    incident = Incident(drill, busy, None, None, load_windows(LAB), "autopilot", lambda _: None, FaultContext(busy))
    with pytest.raises(Void, match="INC-008 did not start within 180 s: this machine is too busy") as told:
        steady_state(incident)
    assert told.value.exit_status == 3


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
    clients: LabClients, drill: Drill, responder: str, age_seconds: int, late_ratio: float, told: str
) -> None:
    young = replace(clients, prometheus=Young(age_seconds, late_ratio))
    incident = Incident(drill, young, None, None, load_windows(LAB), responder, lambda _: None, FaultContext(young))
    assert _unsteady(incident) == told


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What time it is, in seconds; waiting takes none of the test's."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def test_a_lab_that_does_not_become_steady_is_told_of_again_and_again_and_then_named(
    clients: LabClients, drill: Drill, clock: list[float]
) -> None:
    young, told = replace(clients, prometheus=Young(20, 0.0)), list[str]()
    incident = Incident(drill, young, None, None, load_windows(LAB), "autopilot", told.append, FaultContext(young))
    reason = "the gateway has not been watched for 30 s yet"
    with pytest.raises(LabError, match=f"not steady after 180 s: {reason}; see 'fleetops status'"):
        steady_state(incident)
    assert clock == [181]
    assert [text.strip() for text in told[1:]] == [f"not steady yet: {reason}"] * 11
