"""The context of a fault: access to every part of the running lab that it may change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.control.admin_clients import LinkAdmin, TrafficAdmin
from lab.control.lab_clients import LabClients
from lab.drills.faults.helpers.options import Options
from lab.drills.faults.helpers.process import HelperProcess
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
    """A report that discards its lines."""


@dataclass
class FaultContext:
    """The parts of the running lab that a fault may change. `close` ends the helper processes of the fault."""

    clients: LabClients
    report: Report = silently
    helpers: list[HelperProcess] = field(default_factory=list)

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
        """The controls of the delay proxy between two tiers."""
        return LinkAdmin.of(self.home, self.ports, name)

    def cache(self) -> Valkey:
        """A client of the cache itself."""
        from valkey import Valkey

        return Valkey.from_url(valkey.url(self.ports.valkey), socket_timeout=5)

    def db(self, *, superuser: bool = False, application: str = "psql") -> psycopg.Connection[Any]:
        """An autocommit connection to PostgreSQL, bypassing the delay proxy. Raises LabError when refused."""
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
            raise LabError(f"PostgreSQL refused a connection: {str(error).strip().splitlines()[-1]}") from error

    def programs(self, name: str) -> list[Program]:
        """The programs that should run under `name`: one instance, or all replicas of a service."""
        return replicas.instances(self.home, self.ports, name)

    def states(self) -> dict[str, str]:
        """The state by name of every program that was started: running, starting, backoff, stopped, frozen, …"""
        return {row.name: row.state for row in self.supervisor.processes()}

    def keep_down(self, name: str) -> None:
        """Stop a program for good, even while supervision is restarting it. Raises LabError if it does not stop."""
        end = time.monotonic() + STOP_SECONDS
        while self.states().get(name) != "stopped":
            if time.monotonic() > end:
                raise LabError(f"{name} does not stay down; see 'fleetops status'")
            self.supervisor.stop(name)
            time.sleep(0.05)

    def bring_back(self, programs: Iterable[Program]) -> list[str]:
        """Resume frozen programs, start stopped ones and wait until all are ready; returns one line per change."""
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

    def start_helper(self, options: Options) -> HelperProcess:
        """Start the helper that takes these options; returns when it is ready. `close` ends it."""
        helper = HelperProcess.start(self.home, self.ports, options)
        self.helpers.append(helper)
        return helper

    def wait(self, seconds: float) -> None:
        """Wait between two steps of a fault."""
        time.sleep(seconds)

    def close(self) -> None:
        """Stop the helpers."""
        while self.helpers:
            self.helpers.pop().close()
