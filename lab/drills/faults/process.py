"""Signals to the lab's own processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.drills.faults.base import Captured, Fault
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import choice, flag
from lab.paths import home, ports
from lab.stack import replicas


def process_names() -> list[str]:
    """The names of every service and instance under supervision."""
    table = replicas.known(home(), ports()).values()
    return list(dict.fromkeys(name for program in table for name in (program.service, program.name)))


@dataclass(frozen=True)
class ProcessSignal(Fault):
    """A process is frozen (STOP), killed (KILL) or terminated (TERM); a service means all its replicas.

    Supervision restarts an ended process within seconds; with `stays_down` it does not, as if the host were lost.
    """

    kind: ClassVar[str] = "process-signal"
    process: str = choice(process_names, "A service or one instance, as `fleetops status` names it.")
    signal: str = choice(("STOP", "KILL", "TERM"), "The signal.")
    stays_down: bool = flag("Whether supervision leaves it down.", default=False)

    def __post_init__(self) -> None:
        if self.stays_down and self.signal == "STOP":
            raise ValueError("a frozen process (STOP) still runs; it cannot stay down")

    def capture(self, context: FaultContext) -> Captured:
        """`instances`: the names of the instances that get the signal."""
        return {"instances": [program.name for program in context.programs(self.process)]}

    def inject(self, context: FaultContext) -> None:
        """Send the signal to each instance."""
        for program in context.programs(self.process):
            context.supervisor.signal(program.name, self.signal)
            if self.stays_down:
                context.keep_down(program.name)

    def undo(self, context: FaultContext, captured: Captured) -> list[str]:
        """Resume or start the captured instances, except those that were scaled down meanwhile."""
        expected = replicas.expected(context.home, context.ports)
        return context.bring_back(program for program in expected if program.name in captured["instances"])
