"""A longer way between two tiers, for one replica."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lab.drills.faults.base import Fault
from lab.drills.faults.doors import Doors
from lab.drills.faults.parameters import number, text
from lab.names import LINK_MAX_DELAY_SECONDS
from lab.places import LOOPBACK
from lab.stack import replicas


@dataclass(frozen=True)
class NetworkDetour(Fault):
    """The gateway's connections to one replica go a longer way: through a TCP proxy that adds to each round trip."""

    kind: ClassVar[str] = "network-detour"
    replica: str = text("Which replica is far, e.g. feed-1.")
    extra_delay_seconds: float = number(0.001, LINK_MAX_DELAY_SECONDS, "Added to each round trip.")

    def found(self, doors: Doors) -> dict[str, Any]:
        """Nothing: the straight way is how it is undone."""
        doors.programs(self.replica)
        return {}

    def inject(self, doors: Doors) -> None:
        """Put the proxy there, then send the gateway through it."""
        (program,) = doors.programs(self.replica)
        told = {
            "listen": f"{LOOPBACK}:{doors.ports.detour}",
            "upstream": f"{LOOPBACK}:{program.ports[0]}",
            "extra_delay_seconds": self.extra_delay_seconds,
            "token_file": str(doors.home.token),
        }
        doors.child("lab.drills.faults.longer_line", told)
        replicas.detour(doors.home, doors.ports, self.replica, doors.ports.detour)
        doors.report(f"the way to {self.replica} is {self.extra_delay_seconds:g} s longer, there and back")

    def undo(self, doors: Doors, found: dict[str, Any]) -> list[str]:
        """The straight way again; the proxy has gone with its runner, or goes with it."""
        if replicas.detour(doors.home, doors.ports, self.replica, None) is None:
            return []
        return [f"the gateway reaches {self.replica} straight again"]
