"""A log level that was raised for debugging and not lowered again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.control import logs
from lab.drills.faults.base import Captured, Fault
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import choice
from lab.telemetry.settings import LOG_LEVELS


@dataclass(frozen=True)
class LogLevel(Fault):
    """The log level of a running service is changed and not changed back."""

    kind: ClassVar[str] = "log-level"
    actor: ClassVar[str] = "support"
    service: str = choice(("gateway", "user", "feed", "feed-canary"), "The service.")
    level: str = choice(LOG_LEVELS, "The level that it gets.")

    def capture(self, context: FaultContext) -> Captured:
        """`levels`: the level of each replica, by name."""
        return {"levels": logs.levels(context.clients, self.service)}

    def inject(self, context: FaultContext) -> None:
        """Set the level of every replica."""
        logs.set_level(
            context.clients.acting_as(self.actor), self.service, self.level, "to follow a customer's request"
        )
        context.report(f"{self.actor} set the log level of {self.service} to {self.level}")

    def undo(self, context: FaultContext, captured: Captured) -> list[str]:
        """Restore the level of each running replica; a restarted one has it from its configuration already."""
        changed = []
        for name, now in logs.levels(context.clients, self.service).items():
            level = captured["levels"].get(name, now)
            if level != now:
                logs.set_level(context.clients, name, level, "the drill is over")
                changed.append(f"{name} logs at {level} again")
        return changed
