"""Somebody looks closer and forgets to look away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lab.control import logs
from lab.drills.faults.base import Fault
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import choice
from lab.telemetry.settings import LOG_LEVELS


@dataclass(frozen=True)
class LogLevel(Fault):
    """A service is told to log at another level while it runs, and is left so."""

    kind: ClassVar[str] = "log-level"
    actor: ClassVar[str] = "support"
    service: str = choice(("gateway", "user", "feed", "feed-canary"), "Which service.")
    level: str = choice(LOG_LEVELS, "The level it is set to.")

    def found(self, context: FaultContext) -> dict[str, Any]:
        """The level of each replica."""
        return {"levels": logs.levels(context.clients, self.service)}

    def inject(self, context: FaultContext) -> None:
        """Set it."""
        logs.set_level(
            context.clients.acting_as(self.actor), self.service, self.level, "to follow a customer's request"
        )
        context.report(f"{self.actor} set the log level of {self.service} to {self.level}")

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """The level of each replica that still runs; one that was restarted has it from its configuration."""
        changed = []
        for name, now in logs.levels(context.clients, self.service).items():
            level = found["levels"].get(name, now)
            if level != now:
                logs.set_level(context.clients, name, level, "the drill is over")
                changed.append(f"{name} logs at {level} again")
        return changed
