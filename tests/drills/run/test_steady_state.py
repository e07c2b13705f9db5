"""The steady state: what blocks the start of a drill, and what does not."""

from __future__ import annotations

import math
import re
import time
from dataclasses import replace

import pytest

from lab import names
from lab.clients.prometheus import ActiveAlert, Prometheus, Sample
from lab.control.lab_clients import LabClients
from lab.drills.faults.context import FaultContext
from lab.drills.run.incident import Incident
from lab.drills.run.steady_state import _blocks, _unsteady, steady_state
from lab.drills.spec.drill import Drill, find
from lab.errors import LabError, Void
from lab.slo.catalogue import LAB, load_windows
from lab.stack.health import machine


def alert(name: str, severity: str, state: str = "firing", **labels: str) -> ActiveAlert:
    return ActiveAlert({"alertname": name, "severity": severity, **labels}, state)


@pytest.fixture
def drill() -> Drill:
    """A drill with a load, which lists CacheHitRatioLow as an alert that may fire."""
    drill = find("INC-008")
    return replace(drill, expect=replace(drill.expect, may={"ticket": frozenset({"CacheHitRatioLow"})}))


@pytest.mark.parametrize(
    ("active", "reason"),
    [
        (alert("TargetDown", "ticket", "pending"), "TargetDown is pending"),
        (alert("UserAvailabilityBurn", "page", sloth_id="user-availability"), "UserAvailabilityBurn is firing"),
        (alert("UserAvailabilityBurn", "page", "pending", sloth_id="user-availability"), ""),
        (alert("UserAvailabilityBurn", "ticket", sloth_id="user-availability"), "UserAvailabilityBurn is firing"),
        (alert("Watchdog", "none"), ""),
        (alert("CacheHitRatioLow", "ticket"), ""),
        (alert("CpuHeadroomLow", "ticket"), ""),
        (alert("ThreadSaturation", "ticket", "pending"), ""),
        (alert("CacheHitRatioLow", "page"), "CacheHitRatioLow is firing"),
    ],
)
def test_every_active_alert_blocks_a_drill_except_tickets_of_its_load_and_about_capacity(
    drill: Drill, active: ActiveAlert, reason: str
) -> None:
    assert _blocks(active, drill) == reason


def test_without_a_load_every_platform_alert_blocks(drill: Drill) -> None:
    assert _blocks(alert("CacheHitRatioLow", "ticket"), replace(drill, load=())) == "CacheHitRatioLow is firing"


def test_with_kept_history_the_slo_tickets_of_earlier_incidents_do_not_block(drill: Drill) -> None:
    assert _blocks(alert("UserAvailabilityBurn", "ticket", sloth_id="a"), drill, kept_history=True) == ""
    platform, page = alert("ProcessRestarted", "ticket"), alert("UserAvailabilityBurn", "page", sloth_id="a")
    assert _blocks(platform, drill, kept_history=True) == "ProcessRestarted is firing"
    assert _blocks(page, drill, kept_history=True) == "UserAvailabilityBurn is firing"


class Young(Prometheus):
    """A lab that was monitored for `age_seconds`, with `late_ratio` of the feeds above the p95 threshold."""

    def __init__(self, age_seconds: int, late_ratio: float) -> None:
        super().__init__("http://127.0.0.1:9")
        self.age_seconds, self.late_ratio = age_seconds, late_ratio

    def alerts(self) -> list[ActiveAlert]:
        return []

    def instant(self, query: str, at: float | None = None) -> list[Sample]:
        assert at is None, "every query is about the current time"
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
        # In windows of a minute and longer the rules count missing history as good.
        diluted = min(1.0, self.age_seconds / 60) if "ratio_rate1m" in query else 1.0
        return [Sample({}, self.late_ratio * diluted)]


def test_a_lab_with_a_silence_is_not_steady(clients: LabClients, drill: Drill) -> None:
    """The silence may suppress the page that the drill waits for."""

    class Silenced(Young):
        def number(self, query: str, at: float | None = None) -> float | None:
            return 2.0 if query == names.SILENCES_ACTIVE else super().number(query, at)

    silenced = replace(clients, prometheus=Silenced(90, 0.0))
    incident = Incident(
        drill, silenced, None, None, load_windows(LAB), "autopilot", lambda _: None, FaultContext(silenced)
    )
    assert _unsteady(incident).startswith("2 silences are active in Alertmanager")


class Busy(Young):
    """A steady lab on a machine that is too busy in the first `checks` checks."""

    def __init__(self, checks: float) -> None:
        super().__init__(90, 0.0)
        self.checks = checks

    def number(self, query: str, at: float | None = None) -> float | None:
        if query == machine.too_busy_query():
            self.checks -= 1
            return 0.8 if self.checks >= 0 else None
        return super().number(query, at)


def test_a_drill_waits_for_a_machine_that_is_too_busy(clients: LabClients, drill: Drill, clock: list[float]) -> None:
    busy, lines = replace(clients, prometheus=Busy(40)), list[str]()
    steady_state(Incident(drill, busy, None, None, load_windows(LAB), "autopilot", lines.append, FaultContext(busy)))
    assert clock == [40], "it checks once a second"
    assert any("this machine is too busy: other programs use 80% of its processors" in line for line in lines)


def test_a_drill_on_a_machine_that_stays_too_busy_is_void(
    clients: LabClients, drill: Drill, clock: list[float]
) -> None:
    busy = replace(clients, prometheus=Busy(math.inf))
    incident = Incident(drill, busy, None, None, load_windows(LAB), "autopilot", lambda _: None, FaultContext(busy))
    with pytest.raises(Void, match="INC-008 did not start within 180 s: this machine is too busy") as void:
        steady_state(incident)
    assert void.value.exit_status == 3


@pytest.mark.parametrize(
    ("responder", "age_seconds", "late_ratio", "reason"),
    [
        ("autopilot", 15, 0.0, "the gateway has not been monitored for 20 s yet"),
        ("autopilot", 19, 0.0, ""),
        ("autopilot", 29, 0.04, ""),
        ("autopilot", 29, 0.08, "feed-latency-p95 had 8.00% bad events in the last 30 s, more than 5.00%"),
        ("autopilot", 90, 0.08, "feed-latency-p95 had 8.00% bad events in the last 60 s, more than 5.00%"),
        ("none", 7, 0.0, "the gateway has not been monitored for 10 s yet"),
        ("none", 20, 0.08, "feed-latency-p95 had 8.00% bad events in the last 10 s, more than 5.00%"),
        ("none", 20, 0.0, ""),
    ],
)
def test_a_young_lab_is_checked_over_the_time_that_it_was_monitored(
    clients: LabClients, drill: Drill, responder: str, age_seconds: int, late_ratio: float, reason: str
) -> None:
    young = replace(clients, prometheus=Young(age_seconds, late_ratio))
    incident = Incident(drill, young, None, None, load_windows(LAB), responder, lambda _: None, FaultContext(young))
    assert _unsteady(incident) == reason


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The current time in seconds, which sleeping advances without waiting."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def test_the_reason_why_a_lab_is_not_steady_is_repeated_and_then_raised(
    clients: LabClients, drill: Drill, clock: list[float]
) -> None:
    young, lines = replace(clients, prometheus=Young(15, 0.0)), list[str]()
    incident = Incident(drill, young, None, None, load_windows(LAB), "autopilot", lines.append, FaultContext(young))
    reason = "the gateway has not been monitored for 20 s yet"
    with pytest.raises(LabError, match=f"not steady after 180 s: {reason}; see 'fleetops status'"):
        steady_state(incident)
    assert clock == [181]
    assert [line.strip() for line in lines[1:]] == [f"not steady yet: {reason}"] * 11
