"""What operators do to caches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.drills.faults.base import Fault
from lab.drills.faults.doors import Doors
from lab.drills.faults.parameters import number, whole
from lab.stack import valkey


@dataclass(frozen=True)
class CacheFlush(Fault):
    """FLUSHALL on the wrong instance: every entry of every cache is gone at once. It fills again by itself."""

    kind: ClassVar[str] = "cache-flush"
    times: int = whole(
        1, 100, "How often; a script may flush with each of its steps. It ends with the fault.", default=1
    )
    every_seconds: float = number(0.1, 60, "How long it is from one flush to the next.", default=5.0)

    def inject(self, doors: Doors) -> None:
        """Start the script; returns after its first flush."""
        told = {"url": valkey.url(doors.ports.valkey), "times": self.times, "every_seconds": self.every_seconds}
        doors.child("lab.drills.faults.flusher", told)
        again = f", and {self.times - 1} times more, every {self.every_seconds:g} s" if self.times > 1 else ""
        doors.report(f"FLUSHALL{again}")
