"""A release of the fan-out writer, and what it leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lab.control import feed_integrity
from lab.drills.faults.base import Fault
from lab.drills.faults.config import ConfigPush
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import choice
from lab.services.fanout import VERSIONS


@dataclass(frozen=True)
class FanOutRelease(Fault):
    """A deploy pipeline releases a version of the fan-out writer, which writes into cached feeds from then on."""

    kind: ClassVar[str] = "fan-out-release"
    actor: ClassVar[str] = ConfigPush.actor
    version: str = choice(tuple(VERSIONS), "Which version.")

    def _push(self) -> ConfigPush:
        return ConfigPush("user", (f"fanout={self.version}",))

    def found(self, context: FaultContext) -> dict[str, Any]:
        """The version of the user service's configuration."""
        return self._push().found(context)

    def inject(self, context: FaultContext) -> None:
        """Release it, one replica after the other."""
        self._push().inject(context)

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """The configuration there was; then the pages that are wrong go."""
        changed = self._push().undo(context, found)
        if feed_integrity.foreign(context.clients)[1]:
            _, gone = feed_integrity.reconcile(context.clients, "the drill is over")
            changed.append(f"{gone} wrong feeds taken out of the cache")
        return changed

    def undo_at_rest(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """The configuration there was."""
        return self._push().undo_at_rest(context, found)
