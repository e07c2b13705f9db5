"""A longer way between two tiers, for one replica."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lab.drills.faults.base import Fault
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import number, text
from lab.names import LINK_MAX_DELAY_SECONDS
from lab.paths import LOOPBACK
from lab.stack import replicas


@dataclass(frozen=True)
class NetworkDetour(Fault):
    """The gateway's connections to one replica go a longer way: through a TCP proxy that adds to each round trip."""

    kind: ClassVar[str] = "network-detour"
    replica: str = text("Which replica is far, e.g. feed-1.")
    extra_delay_seconds: float = number(0.001, LINK_MAX_DELAY_SECONDS, "Added to each round trip.")

    def found(self, context: FaultContext) -> dict[str, Any]:
        """Nothing: the straight way is how it is undone."""
        context.programs(self.replica)
        return {}

    def inject(self, context: FaultContext) -> None:
        """Put the proxy there, then send the gateway through it."""
        (program,) = context.programs(self.replica)
        told = {
            "listen": f"{LOOPBACK}:{context.ports.detour}",
            "upstream": f"{LOOPBACK}:{program.ports[0]}",
            "extra_delay_seconds": self.extra_delay_seconds,
            "token_file": str(context.home.token),
        }
        context.child("lab.drills.faults.helpers.delay_proxy", told)
        replicas.detour(context.home, context.ports, self.replica, context.ports.detour)
        context.report(f"the way to {self.replica} is {self.extra_delay_seconds:g} s longer, there and back")

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """The straight way again; the proxy has gone with its runner, or goes with it."""
        if replicas.detour(context.home, context.ports, self.replica, None) is None:
            return []
        return [f"the gateway reaches {self.replica} straight again"]
