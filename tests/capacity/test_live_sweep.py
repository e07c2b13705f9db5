"""A sweep of two steps on a running lab: what it measures, and what it leaves behind."""

from __future__ import annotations

import pytest
from embedded import EmbeddedLab

from lab.capacity import journal, step
from lab.capacity.sweep import sweep
from lab.control.admin_clients import TrafficAdmin
from lab.control.lab_clients import LabClients

pytestmark = pytest.mark.stack


def test_two_steps_measure_the_lab_and_put_it_back(lab: EmbeddedLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "MIN_SECONDS", 4.0)
    monkeypatch.setattr(step, "MAX_SECONDS", 4.0)  # too short for a verdict about every SLO, which is not tested here
    monkeypatch.setattr(step, "SETTLE_SECONDS", 2.0)
    monkeypatch.setattr(step, "MAX_SETTLE_SECONDS", 3.0)
    monkeypatch.setenv("FLEETOPS_HOME", str(lab.home.path))
    monkeypatch.setenv("FLEETOPS_PORT_BASE", str(lab.ports.base))
    clients = LabClients.here("test")
    before, lines = TrafficAdmin.of(lab.home, lab.ports).rate(), list[str]()
    done, complete = sweep(clients, ["default"], 1.0, 1, lines.append, steps=2)
    try:
        assert not complete
        assert journal.read(lab.home) == done
        for measured in done.steps:
            assert measured.arrivals == pytest.approx(measured.offered_per_second * measured.seconds, rel=0.3)
            assert measured.good > 0.5 * measured.arrivals
            assert measured.cpu_seconds["gateway"] > 0
            assert measured.in_flight > 0
            assert measured.hit_ratio is not None
        assert TrafficAdmin.of(lab.home, lab.ports).rate() == before
        assert any("every error budget full" in line for line in lines)
        alerts = clients.prometheus.alerts()
        assert not [alert for alert in alerts if alert.state == "firing" and "sloth_id" in alert.labels]
    finally:
        journal.finish(lab.home)
