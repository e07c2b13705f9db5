"""A release of the fan-out writer, and the cached feeds that it corrupts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.control import feed_integrity
from lab.drills.faults.base import Captured, Fault
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

    def capture(self, context: FaultContext) -> Captured:
        """`version`: the active version of the user service's configuration."""
        return self._push().capture(context)

    def inject(self, context: FaultContext) -> None:
        """Release the version to one replica after the other."""
        self._push().inject(context)

    def undo(self, context: FaultContext, captured: Captured) -> list[str]:
        """Activate the captured configuration, then delete the corrupted feeds from the cache."""
        changed = self._push().undo(context, captured)
        if feed_integrity.foreign(context.clients)[1]:
            _, deleted = feed_integrity.reconcile(context.clients, "the drill is over")
            changed.append(f"{deleted} corrupted feeds deleted from the cache")
        return changed

    def undo_at_rest(self, context: FaultContext, captured: Captured) -> list[str]:
        """Activate the captured configuration."""
        return self._push().undo_at_rest(context, captured)
