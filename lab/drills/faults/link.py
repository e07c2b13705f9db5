"""Distance between tiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lab.control.admin_clients import link_names
from lab.drills.faults.base import Fault
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import choice, number
from lab.names import LINK_MAX_DELAY_SECONDS


@dataclass(frozen=True)
class LinkLatency(Fault):
    """The line between two tiers gets longer: every round trip over it takes more time."""

    kind: ClassVar[str] = "link-latency"
    link: str = choice(link_names, "Which line, as `fleetops status` names its proxy.")
    extra_delay_seconds: float = number(0.001, LINK_MAX_DELAY_SECONDS, "Added to each round trip.")

    def found(self, context: FaultContext) -> dict[str, Any]:
        """The extra delay it has."""
        return {"extra_delay_seconds": context.link(self.link).extra_delay_seconds()}

    def inject(self, context: FaultContext) -> None:
        """Add the delay."""
        context.link(self.link).set_extra_delay(self.extra_delay_seconds)

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """The delay it had."""
        link, wanted = context.link(self.link), float(found["extra_delay_seconds"])
        if (now := link.extra_delay_seconds()) == wanted:
            return []
        link.set_extra_delay(wanted)
        return [f"{self.link}: extra delay {now:g} s → {wanted:g} s"]


@dataclass(frozen=True)
class LinkStall(LinkLatency):
    """The line between two tiers gets longer for some seconds, and is then as it was: the fault ends by itself."""

    kind: ClassVar[str] = "link-stall"
    lasts_seconds: float = number(0.1, 60, "How long it is so.")

    def inject(self, context: FaultContext) -> None:
        """Add the delay, wait, take it away; whatever it leads to goes on without it."""
        link = context.link(self.link)
        before = link.extra_delay_seconds()
        link.set_extra_delay(self.extra_delay_seconds)
        context.wait(self.lasts_seconds)
        link.set_extra_delay(before)
        context.report(f"{self.link} is as short as before again")
