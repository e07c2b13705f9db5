"""The context of a fault: one object through which it reaches every part of the running lab it may touch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.control.admin_clients import LinkAdmin, TrafficAdmin
from lab.control.lab_clients import LabClients
from lab.drills.faults.helpers.process import Child
from lab.errors import LabError
from lab.paths import Home, Ports
from lab.stack import replicas
from lab.stack.backends import postgres, valkey
from lab.stack.health import probes
from lab.stack.processes.supervision import Supervisor
from lab.stack.programs import Program

if TYPE_CHECKING:
    import psycopg
    from valkey import Valkey

Report = Callable[[str], None]
READY_SECONDS = 45.0
STOP_SECONDS = 15.0


def silently(_line: str) -> None:
    """A report that nobody reads."""


@dataclass
class FaultContext:
    """Close it when the fault is over: that ends the children. Instants and waits are seconds."""

    clients: LabClients
    report: Report = silently
    children: list[Child] = field(default_factory=list)

    @property
    def home(self) -> Home:
        """The state directory: configuration, data, logs."""
        return self.clients.home

    @property
    def ports(self) -> Ports:
        """Every port of this lab."""
        return self.clients.ports

    @property
    def supervisor(self) -> Supervisor:
        """Starts, stops and signals programs by name."""
        return Supervisor(self.home)

    @property
    def traffic(self) -> TrafficAdmin:
        """The load generator's controls."""
        return TrafficAdmin.of(self.home, self.ports)

    def link(self, name: str) -> LinkAdmin:
        """The controls of one line between tiers."""
        return LinkAdmin.of(self.home, self.ports, name)

    def cache(self) -> Valkey:
        """A client of the cache itself."""
        from valkey import Valkey

        return Valkey.from_url(valkey.url(self.ports.valkey), socket_timeout=5)

    def db(self, *, superuser: bool = False, application: str = "psql") -> psycopg.Connection[Any]:
        """An autocommit connection straight to the DB, past the link. LabError when it refuses."""
        import psycopg

        user = postgres.ADMIN if superuser else postgres.USER
        try:
            return psycopg.connect(
                postgres.url(self.home, self.ports.postgres, user),
                autocommit=True,
                connect_timeout=5,
                application_name=application,
            )
        except psycopg.OperationalError as error:
            raise LabError(f"the DB refused a connection: {str(error).strip().splitlines()[-1]}") from error

    def programs(self, name: str) -> list[Program]:
        """The programs that should run and that `name` means: one instance, or all replicas of a service."""
        return replicas.instances(self.home, self.ports, name)

    def states(self) -> dict[str, str]:
        """The state of every program that was started: running, starting, backoff, stopped, frozen, …"""
        return {row.name: row.state for row in self.supervisor.processes()}

    def keep_down(self, name: str) -> None:
        """Stop a program for good, also one that supervision is just about to start again."""
        end = time.monotonic() + STOP_SECONDS
        while self.states().get(name) != "stopped":
            if time.monotonic() > end:
                raise LabError(f"{name} does not stay down; see 'fleetops status'")
            self.supervisor.stop(name)
            time.sleep(0.05)

    def bring_back(self, programs: Iterable[Program]) -> list[str]:
        """See that programs run, unfrozen, and are ready; one line for each that had to be helped."""
        changed, states = [], self.states()
        wanted = list(programs)
        for program in wanted:
            state = states.get(program.name, "stopped")
            if state == "frozen":
                self.supervisor.signal(program.name, "CONT")
                changed.append(f"{program.name} resumed")
            elif state not in ("running", "starting"):
                self.supervisor.start(program.name, wait=False)
                changed.append(f"{program.name} started again (it was {state})")
        if changed or "starting" in states.values():
            probes.wait_ready(wanted, READY_SECONDS)
        return changed

    def child(self, module: str, told: dict[str, Any]) -> Child:
        """Run `python -m module`, told `told` as JSON; returns when it says it is there. It ends with this fault."""
        child = Child.start(self.home, self.ports, module, told)
        self.children.append(child)
        return child

    def wait(self, seconds: float) -> None:
        """Let time pass between two steps of a fault."""
        time.sleep(seconds)

    def close(self) -> None:
        """End the children."""
        while self.children:
            self.children.pop().close()
