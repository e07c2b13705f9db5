"""What clients do: more of them at once, or one that asks for too much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lab.drills.faults.base import Fault
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import flag, number, text, whole


@dataclass(frozen=True)
class LoadMultiplier(Fault):
    """All clients together ask for more (or less), in the usual mix."""

    kind: ClassVar[str] = "load-multiplier"
    multiplier: float = number(0, 20, "New arrival rate over the present one.")

    def found(self, context: FaultContext) -> dict[str, Any]:
        """The rate there is."""
        return {"rate": context.traffic.rate()}

    def inject(self, context: FaultContext) -> None:
        """Set the rate."""
        before = context.traffic.rate()
        context.traffic.set_rate(before * self.multiplier)
        context.report(f"clients offer {before * self.multiplier:g} requests/s instead of {before:g}")

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """The rate there was."""
        now, wanted = context.traffic.rate(), float(found["rate"])
        if now == wanted:
            return []
        context.traffic.set_rate(wanted)
        return [f"offered load {now:g} → {wanted:g} requests/s"]


@dataclass(frozen=True)
class AbusiveClient(Fault):
    """One client asks for as much as it can, beside the usual load and in the usual mix."""

    kind: ClassVar[str] = "abusive-client"
    client_id: str = text("Its X-Client-Id.")
    requests_per_second: float = number(1, 2000, "What it offers, open-loop.")

    def inject(self, context: FaultContext) -> None:
        """Let it loose."""
        context.traffic.set_extra(self.client_id, self.requests_per_second)

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """It goes away."""
        if not context.traffic.extra():
            return []
        context.traffic.set_extra(self.client_id, 0)
        return [f"{self.client_id} has gone"]


@dataclass(frozen=True)
class FlashCrowd(Fault):
    """Something went round: people who are not of the usual audience read their feeds, all at once."""

    kind: ClassVar[str] = "flash-crowd"
    people: int = whole(1, 19_000, "How many different ones; nobody's page is in the cache.")
    requests_per_second: float = number(1, 2000, "What they offer together, open-loop.")
    ramp_seconds: float = number(0, 600, "How long it takes until they are all there.", default=0.0)
    guests: bool = flag("Whether they do not say who they are.", default=True)

    def inject(self, context: FaultContext) -> None:
        """Let them come."""
        name = "guest" if self.guests else "client"
        context.traffic.set_extra(name, self.requests_per_second, self.people, self.ramp_seconds)
        context.report(f"{self.people} people more ask {self.requests_per_second:g} times a second")

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """They go away."""
        if not context.traffic.extra():
            return []
        context.traffic.set_extra("guest", 0)
        return ["the crowd has gone"]
