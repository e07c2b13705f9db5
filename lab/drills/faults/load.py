"""Client load: more clients at once, or one that sends too many requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.control import traffic
from lab.drills.faults.base import Captured, Fault
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import flag, number, text, whole


@dataclass(frozen=True)
class LoadMultiplier(Fault):
    """All clients together send more (or fewer) requests, in the usual mix."""

    kind: ClassVar[str] = "load-multiplier"
    multiplier: float = number(0, 20, "New arrival rate divided by the current one.")

    def capture(self, context: FaultContext) -> Captured:
        """`rate`: the offered load, in requests per second."""
        return {"rate": context.traffic.rate()}

    def inject(self, context: FaultContext) -> None:
        """Set the rate."""
        rate = context.traffic.rate() * self.multiplier
        before = traffic.change_rate(context.traffic, rate)
        context.report(f"clients offer {rate:g} requests/s instead of {before:g}")

    def undo(self, context: FaultContext, captured: Captured) -> list[str]:
        """Restore the captured rate."""
        now, rate = context.traffic.rate(), float(captured["rate"])
        if now == rate:
            return []
        traffic.change_rate(context.traffic, rate)
        return [f"offered load {now:g} → {rate:g} requests/s"]


@dataclass(frozen=True)
class AbusiveClient(Fault):
    """One client sends a high rate of requests, in addition to the usual load and in the usual mix."""

    kind: ClassVar[str] = "abusive-client"
    client_id: str = text("Its X-Client-Id.")
    requests_per_second: float = number(1, 2000, "Its arrival rate, open-loop.")

    def inject(self, context: FaultContext) -> None:
        """Start its traffic."""
        context.traffic.set_extra(self.client_id, self.requests_per_second)

    def undo(self, context: FaultContext, captured: Captured) -> list[str]:
        """Stop its traffic."""
        if not context.traffic.extra():
            return []
        context.traffic.set_extra(self.client_id, 0)
        return [f"{self.client_id} stopped sending requests"]


@dataclass(frozen=True)
class FlashCrowd(Fault):
    """Many users from outside the usual audience read their feeds at once."""

    kind: ClassVar[str] = "flash-crowd"
    people: int = whole(1, 19_000, "The number of distinct users; none of their feeds is cached.")
    requests_per_second: float = number(1, 2000, "Their total arrival rate, open-loop.")
    ramp_seconds: float = number(0, 600, "Time until all of them have arrived.", default=0.0)
    guests: bool = flag("Whether they are anonymous clients.", default=True)

    def inject(self, context: FaultContext) -> None:
        """Start their traffic."""
        client_id = "guest" if self.guests else "client"
        context.traffic.set_extra(client_id, self.requests_per_second, self.people, self.ramp_seconds)
        context.report(f"{self.people} more users send {self.requests_per_second:g} requests/s")

    def undo(self, context: FaultContext, captured: Captured) -> list[str]:
        """Stop their traffic."""
        if not context.traffic.extra():
            return []
        context.traffic.set_extra("guest", 0)
        return ["the flash crowd stopped sending requests"]
