"""Signals to the lab's own processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lab.drills.faults.base import Fault
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import choice, flag
from lab.paths import home, ports
from lab.stack import replicas


def process_names() -> list[str]:
    """Every service, and every instance of one, that supervision knows."""
    table = replicas.known(home(), ports()).values()
    return list(dict.fromkeys(name for program in table for name in (program.service, program.name)))


@dataclass(frozen=True)
class ProcessSignal(Fault):
    """A process is frozen (STOP), killed (KILL) or told to end (TERM); a service means all its replicas.

    What ends is started again by supervision within a second or two, unless it stays down: its machine is gone.
    """

    kind: ClassVar[str] = "process-signal"
    process: str = choice(process_names, "A service or one instance, as `fleetops status` names it.")
    signal: str = choice(("STOP", "KILL", "TERM"), "What it is sent.")
    stays_down: bool = flag("Whether supervision leaves it down.", default=False)

    def __post_init__(self) -> None:
        if self.stays_down and self.signal == "STOP":
            raise ValueError("a process that is frozen (STOP) runs; it cannot stay down")

    def found(self, context: FaultContext) -> dict[str, Any]:
        """Which instances it reaches."""
        return {"instances": [program.name for program in context.programs(self.process)]}

    def inject(self, context: FaultContext) -> None:
        """Send the signal to each of them."""
        for program in context.programs(self.process):
            context.supervisor.signal(program.name, self.signal)
            if self.stays_down:
                context.keep_down(program.name)

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """Thaw or start what should run and does not. What was scaled away meanwhile is not missed."""
        expected = replicas.expected(context.home, context.ports)
        return context.bring_back(program for program in expected if program.name in found["instances"])
