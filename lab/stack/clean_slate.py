"""A clean slate: Prometheus and Alertmanager without history, while everything that they watch goes on."""

from __future__ import annotations

import shutil
import time

from lab.clients.pager import Pager
from lab.clients.times import utc_text
from lab.paths import Home, Ports
from lab.stack import replicas
from lab.stack.backends import monitoring
from lab.stack.health import probes
from lab.stack.processes.supervision import Supervisor

READY_SECONDS = 20.0
WATCHERS = ("prometheus", "alertmanager")


def clean(home: Home, ports: Ports, pager: Pager) -> float:
    """Empty the history; returns the seconds it took until every target is scraped and the rules are evaluated again.

    Afterwards no window holds anything, so every error budget is whole; nothing fires, nothing counts as told, no
    silence is left, and no page is open. Both programs are started again, and answer again, however this ends. Raises
    LabError when they do not come back, NotRunning when the lab does not run.
    """
    began = time.monotonic()
    supervisor = Supervisor(home)
    running = {row.name for row in supervisor.processes() if row.state == "running"} | set(WATCHERS)
    expected = [program for program in replicas.expected(home, ports) if program.name in running]
    try:
        for name in WATCHERS[::-1]:  # nothing is told of what ends
            supervisor.stop(name)
        shutil.rmtree(home.data / "prometheus", ignore_errors=True)
        (home.data / "prometheus").mkdir(parents=True, exist_ok=True)
        monitoring.forget_notifications(home)
        pager.close_left_open(utc_text(time.time()))
    finally:
        for name in WATCHERS:
            supervisor.start(name, wait=False)
        probes.wait_ready([program for program in expected if program.name in WATCHERS], READY_SECONDS)
    probes.wait_watched(home, ports, expected, READY_SECONDS - (time.monotonic() - began))
    return time.monotonic() - began
