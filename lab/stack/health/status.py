"""The status of the lab: processes, memory, readiness, open pages and silences."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.clients.alertmanager import Alertmanager
from lab.clients.pager import Pager
from lab.errors import LabError
from lab.names import TRAFFIC_COMPLETED
from lab.paths import Home, Ports
from lab.slo.query.builders import rate
from lab.stack import replicas, running
from lab.stack.backends import monitoring
from lab.stack.console_key import console_url
from lab.stack.health import disk, machine, probes
from lab.stack.processes.supervision import SUPERVISOR, ProcessRow, Supervisor
from lab.stack.programs import Program, url


@dataclass(frozen=True)
class Status:
    """One status. `waiting_for` lists the reasons why the lab is not ready; `console_url` includes the console's key.

    `too_busy` is a message while the machine is too busy for valid measurements, else "". `open_pages` and `silences`
    are None when the pager or Alertmanager does not answer. Times are epoch seconds.
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
        """Whether every expected program is running and ready, all targets are up and rules are loaded."""
        return self.running and not self.waiting_for

    @property
    def total_rss_bytes(self) -> int:
        """The sum of the RSS of all programs; memory shared by two programs counts twice."""
        return sum(row.rss_bytes for row in self.processes)


def urls(ports: Ports) -> dict[str, str]:
    """The base URLs of the lab's servers, by name."""
    numbers = {
        "console": ports.console,
        "gateway": ports.gateway,
        "gateway_admin": ports.gateway_admin,
        "pager": ports.pager,
        "prometheus": ports.prometheus,
        "alertmanager": ports.alertmanager,
    }
    return {name: url(port) for name, port in numbers.items()}


def gather(home: Home, ports: Ports) -> Status:
    """The status of the lab in `home` on `ports`. Does not raise for a lab that is down or partly up."""
    try:
        rows = Supervisor(home).processes()
    except LabError:
        full = disk.full(home)
        waiting = [full] if full else []
        return Status(
            running=False, urls=urls(ports), waiting_for=waiting, console_url=console_url(url(ports.console), home)
        )
    run = running.find(home)
    expected = replicas.expected(home, ports)
    names = {program.name for program in expected}
    # Without replicas that are scaled down, and without on-demand programs that have ended.
    rows = [row for row in rows if row.state not in ("stopped", "exited") or row.name in names]
    states = {row.name: row.state for row in rows if row.name != SUPERVISOR}
    readiness = probes.readiness_of(program for program in expected if states.get(program.name) == "running")
    waiting = _waiting(home, ports, expected, states, readiness)
    if full := disk.full(home):
        waiting.insert(0, full)
    if run is None or run.phase != "ready":
        waiting.append("the start has not finished")
    return Status(
        running=True,
        urls=urls(ports),
        console_url=console_url(url(ports.console), home),
        processes=rows,
        waiting_for=waiting,
        open_pages=_open_pages(home, ports),
        silences=silences(home, ports),
        too_busy=_too_busy(home, ports),
        notes=[f"{name}: {note}" for name, result in readiness.items() for note in result.notes],
        requests_per_second=_rate(home, ports),
        started_at=run.started_at if run else None,
        ready_seconds=run.ready_seconds or None if run and run.phase == "ready" else None,
    )


def _waiting(
    home: Home, ports: Ports, expected: list[Program], states: dict[str, str], readiness: dict[str, probes.Readiness]
) -> list[str]:
    waiting = [
        f"{program.name}: {states.get(program.name, 'not started')}"
        for program in expected
        if states.get(program.name) != "running"
    ]
    waiting += [f"{name}: {result.reason}" for name, result in readiness.items() if result.reason]
    problem = probes.scrape_problem(home, ports, expected)
    return [*waiting, problem] if problem else waiting


def _open_pages(home: Home, ports: Ports) -> int | None:
    try:
        return len(Pager.of(home, ports).pages(only_open=True))
    except LabError:
        return None


def silences(home: Home, ports: Ports) -> list[str] | None:
    """A description of each active silence; None when Alertmanager does not answer."""
    try:
        return [str(silence) for silence in Alertmanager.of(home, ports).silences()]
    except LabError:
        return None


def _rate(home: Home, ports: Ports) -> float | None:
    """Completed requests a second of the load generator, over the last ten seconds."""
    completed = _number(home, ports, rate(TRAFFIC_COMPLETED, "10s"))
    return None if completed is None else round(completed, 1)


def _too_busy(home: Home, ports: Ports) -> str:
    others = _number(home, ports, machine.too_busy_query())
    return "" if others is None else machine.too_busy(others)


def _number(home: Home, ports: Ports, query: str) -> float | None:
    """The first value of an instant query; None when it is empty or Prometheus does not answer."""
    try:
        prometheus = monitoring.client(home, ports, probes.PROBE_SECONDS)
        result = prometheus.call("GET", "/api/v1/query", fields={"query": query})["data"]["result"]
    except LabError:
        return None
    return float(result[0]["value"][1]) if result else None
