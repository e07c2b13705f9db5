"""More or fewer replicas, and restarts: the mechanics. The audited verbs that people type are in lab/control."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

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
UNWATCHED_SECONDS = 15.0


def known(home: Home, ports: Ports) -> dict[str, Program]:
    """The program table as far as names, addresses and readiness go; no tool and no wheel is looked up.

    A container of ours has none of them, and asks for the table as well.
    """
    return programs.table(home, ports, {name: Path(name) for name in programs.TOOLS})


def expected(home: Home, ports: Ports) -> list[Program]:
    """The programs that should run now: the fixed ones, and each service's current number of replicas."""
    counts = state.read_replicas(home)
    return [
        program
        for program in known(home, ports).values()
        if program.service not in REPLICA_MODULES or _number(program) <= counts[program.service]
    ]


def _number(program: Program) -> int:
    return int(program.name.rpartition("-")[2])


def scale(home: Home, ports: Ports, service: str, count: int) -> int:
    """Run `count` replicas of `service`; returns how many ran before.

    The gateway asks one that is taken away no more, and Prometheus does not scrape it, before it is stopped.
    Raises UsageError for an unknown service or a count out of range (nothing is changed), LabError when a new replica
    does not get ready (it is stopped again), NotRunning.
    """
    if service not in REPLICA_MODULES:
        raise UsageError(f"{service!r} cannot be scaled; {', '.join(REPLICA_MODULES)} can")
    if not 1 <= count <= MAX_REPLICAS:
        raise UsageError(f"{count} replicas of {service} is out of range; 1 to {MAX_REPLICAS}")
    with state.lock(home):
        supervisor = Supervisor(home)
        supervisor.names()  # NotRunning before anything is changed
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
            probes.wait_unwatched(home, ports, removed, UNWATCHED_SECONDS)
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
        programs.url(routing.detours[name]) if (name := f"{service}-{number}") in routing.detours else straight
        for number, straight in enumerate(programs.upstreams(ports, service, count), start=1)
        if f"{service}-{number}" not in routing.drained
    ]
    gateway.call("PUT", f"/admin/upstreams/{service}", {"urls": urls})


def drained(home: Home) -> list[str]:
    """The replicas that the gateway is told to leave out."""
    return sorted(state.read_routing(home).drained)


def drain(home: Home, ports: Ports, name: str, *, back: bool = False) -> bool:
    """Have the gateway leave out the replica `name` (or, with `back`, ask it again); whether it was left out before.

    Raises UsageError for what is no running replica of a scalable service, and for the last one that is routed to.
    """
    with state.lock(home):
        routing = state.read_routing(home)
        was = name in routing.drained
        # One that was drained may have been scaled away since.
        service = programs.service_of(name) if was else _replica(home, ports, name).service
        after = set(routing.drained) - {name} if back else {*routing.drained, name}
        if all(f"{service}-{number}" in after for number in range(1, state.read_replicas(home)[service] + 1)):
            raise UsageError(f"{name} is the last replica of {service} that is routed to; scale it up first")
        _reroute(home, ports, service, replace(routing, drained=tuple(sorted(after))))
    return was


def detour(home: Home, ports: Ports, name: str, port: int | None) -> int | None:
    """Have the gateway reach the replica `name` by another port of this machine, or straight (None); the one before."""
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
    """Keep `routing` and tell the gateway; when it cannot be told, as before."""
    before = state.read_routing(home)
    state.write_routing(home, routing)
    try:
        _route(home, ports, service, state.read_replicas(home)[service])
    except BaseException:
        state.write_routing(home, before)
        raise


def _replica(home: Home, ports: Ports, name: str) -> Program:
    found = [p for p in expected(home, ports) if p.service in REPLICA_MODULES]
    for program in found:
        if program.name == name:
            return program
    raise UsageError(f"no replica {name!r}; there are {', '.join(program.name for program in found)}")


def route_defaults(home: Home, ports: Ports) -> None:
    """Give the gateway the default replicas: it remembers upstreams over a restart, a fresh start has others."""
    for service, count in DEFAULT_REPLICAS.items():
        _route(home, ports, service, count)


def instances(home: Home, ports: Ports, name: str) -> list[Program]:
    """The running programs that `name` means: one instance, or every replica of a service.

    Raises UsageError listing the known names.
    """
    running = expected(home, ports)
    found = [program for program in running if name in (program.name, program.service)]
    if not found:
        raise UsageError(
            f"no service {name!r}; known: {', '.join(sorted({n for p in running for n in (p.service, p.name)}))}"
        )
    return found


def restart(home: Home, ports: Ports, name: str, say: Callable[[str], None] = lambda _: None) -> list[str]:
    """Restart an instance, or a service's replicas one after the other, each ready before the next is stopped.

    Returns the instances. Raises UsageError (unknown name), LabError (one does not get ready), NotRunning.
    """
    supervisor = Supervisor(home)
    for program in (found := instances(home, ports, name)):
        say(f"restarting {program.name}")
        supervisor.stop(program.name)
        supervisor.start(program.name, wait=False)
        probes.wait_ready([program], READY_SECONDS)
    return [program.name for program in found]


def reload(home: Home, ports: Ports, name: str) -> int:
    """Write anew what Prometheus is told (rules, targets, where alerts go) and have it read that; the rule groups.

    It goes on running. Raises UsageError (nothing else reloads), SpecError (it would refuse, and keeps what it has).
    """
    if name != "prometheus":
        raise UsageError(f"{name!r} cannot reload; prometheus can, everything else takes 'fleetops service restart'")
    Supervisor(home).names()  # NotRunning before anything is written
    with state.lock(home):
        monitoring.render(home, ports, known(home, ports).values(), expected(home, ports))
    return reload_rules(home, ports, binaries.tool("promtool"))


def reload_rules(home: Home, ports: Ports, promtool: Path) -> int:
    """Make the running Prometheus load the rule files again; the number of groups. See monitoring.reload_rules."""
    return monitoring.reload_rules(home, ports, promtool, lambda: Supervisor(home).signal("prometheus", "HUP"))
