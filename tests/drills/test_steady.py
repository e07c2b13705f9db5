"""What keeps a drill from starting, and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.drills.spec import Drill, find
from lab.drills.steady import _disturbs


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
