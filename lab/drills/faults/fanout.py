"""A release of the fan-out writer, and what it leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lab.control import feedcache
from lab.drills.faults.base import Fault
from lab.drills.faults.config import ConfigPush
from lab.drills.faults.doors import Doors
from lab.drills.faults.parameters import choice
from lab.services.fanout import VERSIONS


@dataclass(frozen=True)
class FanOutRelease(Fault):
    """A deploy pipeline releases a version of the fan-out writer, which writes into cached feeds from then on."""

    kind: ClassVar[str] = "fan-out-release"
    actor: ClassVar[str] = ConfigPush.actor
    version: str = choice(tuple(VERSIONS), "Which version.")

    def _push(self) -> ConfigPush:
        return ConfigPush("user", (f"fanout={self.version}",))

    def found(self, doors: Doors) -> dict[str, Any]:
        """The version of the user service's configuration."""
        return self._push().found(doors)

    def inject(self, doors: Doors) -> None:
        """Release it, one replica after the other."""
        self._push().inject(doors)

    def undo(self, doors: Doors, found: dict[str, Any]) -> list[str]:
        """The configuration there was; then the pages that are wrong go."""
        changed = self._push().undo(doors, found)
        if feedcache.foreign(doors.desk)[1]:
            _, gone = feedcache.reconcile(doors.desk, "the drill is over")
            changed.append(f"{gone} wrong feeds taken out of the cache")
        return changed

    def undo_at_rest(self, doors: Doors, found: dict[str, Any]) -> list[str]:
        """The configuration there was."""
        return self._push().undo_at_rest(doors, found)
