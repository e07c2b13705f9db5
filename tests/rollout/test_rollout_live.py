"""Rollouts on the real lab: a bad version is stopped at the first step, and a healthy one reaches everybody."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from embedded import EmbeddedLab, more_drills
from polling import eventually

from lab import names
from lab.clients.pager import Pager
from lab.clients.prometheus import Prometheus
from lab.rollout import journal

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("usual_traffic"), pytest.mark.timeout(400, func_only=True)]


def status(lab: EmbeddedLab) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.fleetops("rollout", "status", "--json").stdout)
    return found


def finished(lab: EmbeddedLab, seconds: float) -> dict[str, Any]:
    assert eventually(lambda: (now := journal.load(lab.home)) is not None and now.is_over, seconds), status(lab)
    return status(lab)


def weight(lab: EmbeddedLab) -> float:
    return Prometheus.of(lab.home, lab.ports).number("max(gateway_canary_weight_ratio)") or 0


def paged(lab: EmbeddedLab) -> list[tuple[int, str]]:
    """The ids and alerts of the feed's pages so far, without tickets: a release restarts processes, and one says so.

    On a slow machine, four requests that time out page for the user service, which no change here touches.
    """
    pages = Pager.of(lab.home, lab.ports).pages()
    return [(page.id, page.alertname) for page in pages if (page.severity, page.service) == ("page", "feed")]


def wait_for_the_gate(lab: EmbeddedLab) -> None:
    """A lab that has just started has no budgets yet, and the gate refuses what it does not know."""
    asked = ("budget", "gate", "--service", "feed", "--change", "rollout")
    assert eventually(lambda: lab.fleetops(*asked).returncode == 0, 30)


def test_a_bad_version_is_stopped_at_the_first_step_and_pages_nobody(lab: EmbeddedLab) -> None:
    wait_for_the_gate(lab)
    pages = paged(lab)
    started = lab.fleetops("rollout", "start", "feed", "--to", names.VERSION_CANARY)
    assert started.returncode == 0, started.stderr
    second = lab.fleetops("rollout", "start", "feed", "--to", names.VERSION_NEXT)
    assert second.returncode == 2
    assert "`fleetops rollout abort` ends it" in second.stderr
    over = finished(lab, 90)
    assert (over["phase"], over["step"]) == ("aborted", 0)
    assert "clients affected on the canary" in over["reason"]
    assert eventually(lambda: weight(lab) == 0, 10)
    assert paged(lab) == pages
    assert lab.ready()
    assert eventually(lambda: "rollout" not in lab.processes(), 20)


def test_a_configuration_that_does_harm_is_taken_back_from_one_replica(lab: EmbeddedLab, tmp_path: Path) -> None:
    wait_for_the_gate(lab)
    pages, file = paged(lab), tmp_path / "push.json"
    pushed = lab.fleetops("config", "push", "feed", f"version={names.VERSION_CANARY}", "--record", str(file))
    assert pushed.returncode == 1, pushed.stderr
    assert "taken back" in pushed.stdout
    assert lab.fleetops("rollout", "judge", str(file)).returncode == 0
    assert json.loads(lab.fleetops("config", "show", "feed", "--json").stdout)["current"]["version"] == 0
    assert paged(lab) == pages
    refused = lab.fleetops("config", "push", "feed", "pool=4")
    assert refused.returncode == 2
    assert "no setting 'pool' of feed" in refused.stderr


@more_drills
def test_a_healthy_version_reaches_everybody_although_its_controller_is_killed(lab: EmbeddedLab) -> None:
    wait_for_the_gate(lab)
    assert lab.fleetops("rollout", "start", "feed", "--to", names.VERSION_NEXT).returncode == 0
    began = time.monotonic()
    assert eventually(lambda: status(lab)["step"] == 1, 90)
    os.kill(lab.pid("rollout"), signal.SIGKILL)
    over = finished(lab, 150)
    assert over["phase"] == "promoted", over["reason"]
    assert time.monotonic() - began < 150
    assert weight(lab) == 0
    versions = json.loads(lab.fleetops("query", 'fleetops_build_info{job="feed"}', "--json").stdout)
    running = {row["labels"]["instance"]: row["labels"]["service_version"] for row in versions}
    assert running == {"feed-1": "1.2.0", "feed-2": "1.2.0", "feed-canary-1": "1.1.0"}
    assert lab.fleetops("config", "rollback", "feed").returncode == 0
