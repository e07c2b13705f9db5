"""Network latency between tiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.control.admin_clients import link_names
from lab.drills.faults.base import Captured, Fault
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import choice, number
from lab.names import LINK_MAX_DELAY_SECONDS


@dataclass(frozen=True)
class LinkLatency(Fault):
    """The network between two tiers gets slower: every round trip takes longer."""

    kind: ClassVar[str] = "link-latency"
    link: str = choice(link_names, "The delay proxy, as `fleetops status` names it.")
    extra_delay_seconds: float = number(0.001, LINK_MAX_DELAY_SECONDS, "Added to each round trip.")

    def capture(self, context: FaultContext) -> Captured:
        """`extra_delay_seconds`: the current extra delay."""
        return {"extra_delay_seconds": context.link(self.link).extra_delay_seconds()}

    def inject(self, context: FaultContext) -> None:
        """Add the delay."""
        context.link(self.link).set_extra_delay(self.extra_delay_seconds)

    def undo(self, context: FaultContext, captured: Captured) -> list[str]:
        """Restore the captured delay."""
        link, delay_seconds = context.link(self.link), float(captured["extra_delay_seconds"])
        if (now := link.extra_delay_seconds()) == delay_seconds:
            return []
        link.set_extra_delay(delay_seconds)
        return [f"{self.link}: extra delay {now:g} s → {delay_seconds:g} s"]


@dataclass(frozen=True)
class LinkStall(LinkLatency):
    """The network between two tiers is slow for some seconds and then recovers: the fault ends by itself."""

    kind: ClassVar[str] = "link-stall"
    lasts_seconds: float = number(0.1, 60, "Its duration.")

    def inject(self, context: FaultContext) -> None:
        """Add the delay, wait, remove it; whatever it triggered continues without it."""
        link = context.link(self.link)
        before = link.extra_delay_seconds()
        link.set_extra_delay(self.extra_delay_seconds)
        context.wait(self.lasts_seconds)
        link.set_extra_delay(before)
        context.report(f"{self.link} has its usual latency again")
