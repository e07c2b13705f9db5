"""A clean slate: restart Prometheus and Alertmanager without history while the monitored programs keep running."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress

from lab.clients.alertmanager import Alertmanager
from lab.clients.pager import Pager
from lab.clients.times import utc_text
from lab.errors import NotRunning, UsageError
from lab.paths import Home, Ports
from lab.stack import replicas
from lab.stack.backends import monitoring
from lab.stack.health import probes
from lab.stack.processes.supervision import Supervisor

READY_SECONDS = 20.0


def require_no_silences(home: Home, ports: Ports) -> None:
    """Raise UsageError while a silence is active: `clean` would delete it, and somebody wanted it."""
    with suppress(NotRunning):
        if silences := Alertmanager.of(home, ports).silences():
            raise UsageError(
                f"a clean slate would delete an active silence, {silences[0]}; `fleetops doctor` shows how to expire it"
            )


def clean(home: Home, ports: Ports, pager: Pager) -> float:
    """Delete the history; returns the seconds until every target is scraped and the rules are loaded again.

    Afterwards all windows are empty and every error budget is full; no alert fires or counts as notified, no silence is
    active, and no page is open. Both programs are restarted and ready however this ends. Raises LabError when they are
    not ready in time, NotRunning when the lab is not running.
    """
    began = time.monotonic()
    supervisor = Supervisor(home)
    running = {row.name for row in supervisor.processes() if row.state == "running"} | set(monitoring.SERVERS)
    expected = [program for program in replicas.expected(home, ports) if program.name in running]
    try:
        for name in monitoring.SERVERS[::-1]:  # Alertmanager first, so that it notifies nobody of resolved alerts
            supervisor.stop(name)
        shutil.rmtree(home.data / "prometheus", ignore_errors=True)
        (home.data / "prometheus").mkdir(parents=True, exist_ok=True)
        monitoring.forget_notifications(home)
        pager.close_left_open(utc_text(time.time()))
    finally:
        for name in monitoring.SERVERS:
            supervisor.start(name, wait=False)
        probes.wait_ready([program for program in expected if program.name in monitoring.SERVERS], READY_SECONDS)
    probes.wait_scraped(home, ports, expected, READY_SECONDS - (time.monotonic() - began))
    return time.monotonic() - began
