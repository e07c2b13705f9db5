"""What runs now, how much memory it takes, and whether it is ready, in one answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lab.clients.alertmanager import Alertmanager
from lab.clients.pager import Pager
from lab.errors import LabError
from lab.names import TRAFFIC_COMPLETED
from lab.paths import Home, Ports
from lab.stack import replicas, running
from lab.stack.backends import monitoring
from lab.stack.console_key import console_url
from lab.stack.health import disk, machine, probes
from lab.stack.processes.supervision import SUPERVISOR, ProcessRow, Supervisor
from lab.stack.programs import Program, url


@dataclass(frozen=True)
class Status:
    """`waiting_for` says what keeps the lab from being ready; empty when it is. `console_url` has the console's key.

    `too_busy` says what the machine lacks for the lab to mean anything; "" when it lacks nothing.
    """

    running: bool
    urls: dict[str, str]
    console_url: str
    processes: list[ProcessRow] = field(default_factory=list)
    waiting_for: list[str] = field(default_factory=list)
    open_pages: int | None = None
    silences: list[str] | None = None
    too_busy: str = ""
    notes: list[str] = field(default_factory=list)
    requests_per_second: float | None = None
    started_at: float | None = None
    ready_seconds: float | None = None

    @property
    def ready(self) -> bool:
        """Every expected program runs and is ready, all targets are up, the rules are loaded."""
        return self.running and not self.waiting_for

    @property
    def total_rss_bytes(self) -> int:
        """RSS of all programs together (what two of them share is counted for each)."""
        return sum(row.rss_bytes for row in self.processes)

    def as_json(self) -> dict[str, Any]:
        """The object of `fleetops status --json`."""
        return {
            "ready": self.ready,
            "running": self.running,
            "waiting_for": self.waiting_for,
            "urls": self.urls,
            "console_url": self.console_url,
            "processes": [row.as_json() for row in self.processes],
            "total_rss_bytes": self.total_rss_bytes,
            "open_pages": self.open_pages,
            "silences": self.silences,
            "too_busy": self.too_busy,
            "notes": self.notes,
            "requests_per_second": self.requests_per_second,
            "started_at": self.started_at,
            "ready_seconds": self.ready_seconds,
        }


def urls(ports: Ports) -> dict[str, str]:
    """Every address a person or a program may want."""
    named = {
        "console": ports.console,
        "gateway": ports.gateway,
        "gateway_admin": ports.gateway_admin,
        "pager": ports.pager,
        "prometheus": ports.prometheus,
        "alertmanager": ports.alertmanager,
    }
    return {name: url(port) for name, port in named.items()}


def gather(home: Home, ports: Ports) -> Status:
    """The status of the lab in `home` on `ports`; never raises for a lab that is down or half up."""
    try:
        rows = Supervisor(home).processes()
    except LabError:
        full = disk.full(home)
        waiting = [full] if full else []
        return Status(
            running=False, urls=urls(ports), waiting_for=waiting, console_url=console_url(url(ports.console), home)
        )
    run = running.find(home)
    wanted = replicas.expected(home, ports)
    names = {program.name for program in wanted}
    rows = [row for row in rows if row.state != "stopped" or row.name in names]  # not what was scaled away
    states = {row.name: row.state for row in rows if row.name != SUPERVISOR}
    answers = probes.ask_all(program for program in wanted if states.get(program.name) == "running")
    waiting = _waiting(home, ports, wanted, states, answers)
    if full := disk.full(home):
        waiting.insert(0, full)
    if run is None or run.phase != "ready":
        waiting.append("the start to finish")
    return Status(
        running=True,
        urls=urls(ports),
        console_url=console_url(url(ports.console), home),
        processes=rows,
        waiting_for=waiting,
        open_pages=_open_pages(home, ports),
        silences=silences(home, ports),
        too_busy=_too_busy(home, ports),
        notes=[f"{name}: {note}" for name, answer in answers.items() for note in answer.notes],
        requests_per_second=_rate(home, ports),
        started_at=run.started_at if run else None,
        ready_seconds=run.ready_seconds or None if run and run.phase == "ready" else None,
    )


def _waiting(
    home: Home, ports: Ports, wanted: list[Program], states: dict[str, str], answers: dict[str, probes.Readiness]
) -> list[str]:
    waiting = [
        f"{program.name}: {states.get(program.name, 'not started')}"
        for program in wanted
        if states.get(program.name) != "running"
    ]
    waiting += [f"{name}: {answer.reason}" for name, answer in answers.items() if answer.reason]
    watched = probes.why_not_watched(home, ports, wanted)
    return [*waiting, watched] if watched else waiting


def _open_pages(home: Home, ports: Ports) -> int | None:
    try:
        return len(Pager.of(home, ports).pages(only_open=True))
    except LabError:
        return None


def silences(home: Home, ports: Ports) -> list[str] | None:
    """What keeps pages from being told now, a phrase a silence; None when Alertmanager does not say."""
    try:
        return [str(silence) for silence in Alertmanager.of(home, ports).silences()]
    except LabError:
        return None


def _rate(home: Home, ports: Ports) -> float | None:
    """Requests a second that the traffic got answered, over the last ten seconds."""
    rate = _number(home, ports, f"sum(rate({TRAFFIC_COMPLETED}[10s]))")
    return None if rate is None else round(rate, 1)


def _too_busy(home: Home, ports: Ports) -> str:
    others = _number(home, ports, machine.too_busy_query())
    return "" if others is None else machine.too_busy(others)


def _number(home: Home, ports: Ports, query: str) -> float | None:
    """What Prometheus says now; None when it does not."""
    try:
        prometheus = monitoring.client(home, ports, probes.PROBE_SECONDS)
        result = prometheus.call("GET", "/api/v1/query", fields={"query": query})["data"]["result"]
    except LabError:
        return None
    return float(result[0]["value"][1]) if result else None
