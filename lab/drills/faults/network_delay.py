"""Network latency to one replica."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.drills.faults.base import Captured, Fault
from lab.drills.faults.context import FaultContext
from lab.drills.faults.helpers.options import DelayProxy
from lab.drills.schema.parameters import number, text
from lab.names import LINK_MAX_DELAY_SECONDS
from lab.paths import LOOPBACK
from lab.stack import replicas


@dataclass(frozen=True)
class NetworkDetour(Fault):
    """The gateway's connections to one replica go through a TCP proxy that delays each round trip."""

    kind: ClassVar[str] = "network-detour"
    replica: str = text("The replica, e.g. feed-1.")
    extra_delay_seconds: float = number(0.001, LINK_MAX_DELAY_SECONDS, "Added to each round trip.")

    def capture(self, context: FaultContext) -> Captured:
        """Nothing, as undo restores the direct connection. Raises UsageError when there is no such replica."""
        context.programs(self.replica)
        return {}

    def inject(self, context: FaultContext) -> None:
        """Start the proxy, then route the gateway through it."""
        (program,) = context.programs(self.replica)
        context.start_helper(
            DelayProxy(
                listen=f"{LOOPBACK}:{context.ports.detour}",
                upstream=f"{LOOPBACK}:{program.ports[0]}",
                extra_delay_seconds=self.extra_delay_seconds,
                token_file=str(context.home.token),
            )
        )
        replicas.detour(context.home, context.ports, self.replica, context.ports.detour)
        context.report(f"each round trip to {self.replica} takes {self.extra_delay_seconds:g} s longer")

    def undo(self, context: FaultContext, captured: Captured) -> list[str]:
        """Route the gateway directly to the replica again; the proxy ends with the process that started it."""
        if replicas.detour(context.home, context.ports, self.replica, None) is None:
            return []
        return [f"the gateway connects to {self.replica} directly again"]
