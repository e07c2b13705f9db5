"""Scale, restart, drain and reload programs. The audited actions are in lab/control/actions.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from lab.clients.http import JsonClient
from lab.clients.pager import read_token
from lab.errors import UsageError
from lab.paths import MAX_REPLICAS, Home, Ports
from lab.stack import programs, state
from lab.stack.backends import monitoring
from lab.stack.health import probes
from lab.stack.processes import orphans
from lab.stack.processes.supervision import Supervisor
from lab.stack.programs import DEFAULT_REPLICAS, REPLICA_MODULES, Program
from lab.stack.tools import binaries

READY_SECONDS = 45.0
UNSCRAPED_SECONDS = 15.0


@lru_cache(maxsize=1)  # a process asks for one lab, several times a second
def known(home: Home, ports: Ports) -> Mapping[str, Program]:
    """The program table with bare program names instead of paths, so that no tool or wheel is looked up.

    Containers need the table too, and have none of them.
    """
    return MappingProxyType(programs.table(home, ports, {name: Path(name) for name in programs.TOOLS}))


def expected(home: Home, ports: Ports) -> list[Program]:
    """The programs that should run now: the platform, and the current number of replicas of each service."""
    counts = state.read_replicas(home)
    return [
        program
        for program in known(home, ports).values()
        if not program.on_demand
        and (program.service not in REPLICA_MODULES or _number(program) <= counts[program.service])
    ]


def _number(program: Program) -> int:
    return int(program.name.rpartition("-")[2])


def scale(home: Home, ports: Ports, service: str, count: int) -> int:
    """Run `count` replicas of `service`; returns the previous number.

    New replicas are ready before they get traffic; removed ones are neither routed to nor scraped when they stop.
    Raises UsageError for an unknown service or a count out of range, LabError when a new replica does not become ready
    (it is stopped again), NotRunning.
    """
    if service not in REPLICA_MODULES:
        raise UsageError(f"{service!r} cannot be scaled; {', '.join(REPLICA_MODULES)} can")
    if not 1 <= count <= MAX_REPLICAS:
        raise UsageError(f"{count} replicas of {service} is out of range; 1 to {MAX_REPLICAS}")
    with state.lock(home):
        supervisor = Supervisor(home)
        supervisor.names()  # raises NotRunning before anything is changed
        counts = state.read_replicas(home)
        before = counts[service]
        table = known(home, ports)
        added = [table[f"{service}-{number}"] for number in range(before + 1, count + 1)]
        removed = [table[f"{service}-{number}"] for number in range(count + 1, before + 1)]
        orphans.require_free((program.name, port) for program in added for port in program.ports)
        _start(supervisor, added)
        _route(home, ports, service, count)
        state.write_replicas(home, {**counts, service: count})
        monitoring.write_targets(home, expected(home, ports))
        try:
            probes.wait_unscraped(home, ports, removed, UNSCRAPED_SECONDS)
        finally:
            for program in removed:
                supervisor.stop(program.name)
    return before


def _start(supervisor: Supervisor, added: list[Program]) -> None:
    try:
        for program in added:
            supervisor.start(program.name, wait=False)
        probes.wait_ready(added, READY_SECONDS)
    except BaseException:
        for program in added:
            supervisor.stop(program.name)
        raise


def _route(home: Home, ports: Ports, service: str, count: int) -> None:
    gateway = JsonClient(programs.url(ports.gateway_admin), what="the gateway", token=read_token(home))
    routing = state.read_routing(home)
    urls = [
        programs.url(routing.detours[name]) if (name := f"{service}-{number}") in routing.detours else direct
        for number, direct in enumerate(programs.upstreams(ports, service, count), start=1)
        if f"{service}-{number}" not in routing.drained
    ]
    gateway.call("PUT", f"/admin/upstreams/{service}", {"urls": urls})


def drained(home: Home) -> list[str]:
    """The names of the drained replicas."""
    return sorted(state.read_routing(home).drained)


def drain(home: Home, ports: Ports, name: str, *, back: bool = False) -> bool:
    """Take the replica `name` out of the gateway's rotation (`back`: into it); returns whether it was drained before.

    Raises UsageError for a name that is not a running replica, and for the last replica in rotation; NotRunning.
    """
    with state.lock(home):
        routing = state.read_routing(home)
        was_drained = name in routing.drained
        # A drained replica may have been scaled down since.
        service = programs.service_of(name) if was_drained else _replica(home, ports, name).service
        after = set(routing.drained) - {name} if back else {*routing.drained, name}
        if all(f"{service}-{number}" in after for number in range(1, state.read_replicas(home)[service] + 1)):
            raise UsageError(f"{name} is the last replica of {service} in rotation; scale {service} up first")
        _reroute(home, ports, service, replace(routing, drained=tuple(sorted(after))))
    return was_drained


def detour(home: Home, ports: Ports, name: str, port: int | None) -> int | None:
    """Route the gateway to the replica `name` through another local port (None: directly); returns the old port."""
    with state.lock(home):
        routing = state.read_routing(home)
        before = routing.detours.get(name)
        service = programs.service_of(name) if before is not None else _replica(home, ports, name).service
        detours = {other: to for other, to in routing.detours.items() if other != name}
        if port is not None:
            detours[name] = port
        _reroute(home, ports, service, replace(routing, detours=detours))
    return before


def _reroute(home: Home, ports: Ports, service: str, routing: state.Routing) -> None:
    """Save `routing` and apply it at the gateway; restore the previous one when that fails."""
    before = state.read_routing(home)
    state.write_routing(home, routing)
    try:
        _route(home, ports, service, state.read_replicas(home)[service])
    except BaseException:
        state.write_routing(home, before)
        raise


def _replica(home: Home, ports: Ports, name: str) -> Program:
    running = [program for program in expected(home, ports) if program.service in REPLICA_MODULES]
    for program in running:
        if program.name == name:
            return program
    raise UsageError(f"no replica {name!r}; known: {', '.join(program.name for program in running)}")


def route_defaults(home: Home, ports: Ports) -> None:
    """Route the gateway to the default replicas: it keeps its upstreams across restarts of the lab."""
    for service, count in DEFAULT_REPLICAS.items():
        _route(home, ports, service, count)


def instances(home: Home, ports: Ports, name: str) -> list[Program]:
    """The running programs of `name`: one instance, or every replica of a service. UsageError lists the known names."""
    running = expected(home, ports)
    matching = [program for program in running if name in (program.name, program.service)]
    if not matching:
        names = sorted({known_name for program in running for known_name in (program.service, program.name)})
        raise UsageError(f"no service {name!r}; known: {', '.join(names)}")
    return matching


def restart(home: Home, ports: Ports, name: str) -> list[str]:
    """Restart an instance, or the replicas of a service one at a time, each ready before the next is stopped.

    Returns their names. Raises UsageError (unknown name), LabError (one does not become ready), NotRunning.
    """
    supervisor = Supervisor(home)
    restarted = instances(home, ports, name)
    for program in restarted:
        supervisor.stop(program.name)
        supervisor.start(program.name, wait=False)
        probes.wait_ready([program], READY_SECONDS)
    return [program.name for program in restarted]


def reload(home: Home, ports: Ports, name: str) -> int:
    """Regenerate Prometheus's configuration and targets and reload it while it runs; returns the number of rule groups.

    Raises UsageError for any other program, SpecError for an invalid configuration (Prometheus keeps the old one).
    """
    if name != "prometheus":
        raise UsageError(f"{name!r} cannot reload, only prometheus can; use `fleetops service restart {name}`")
    Supervisor(home).names()  # raises NotRunning before anything is written
    with state.lock(home):
        monitoring.render(home, ports, known(home, ports).values(), expected(home, ports))
    return reload_rules(home, ports, binaries.tool("promtool"))


def reload_rules(home: Home, ports: Ports, promtool: Path) -> int:
    """Reload the rule files of the running Prometheus, with `monitoring.reload_rules`; the number of rule groups."""
    return monitoring.reload_rules(home, ports, promtool, lambda: Supervisor(home).signal("prometheus", "HUP"))
