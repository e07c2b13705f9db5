"""What operators do to caches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from valkey.exceptions import ValkeyError

from lab.drills.faults.base import Fault
from lab.drills.faults.doors import Doors
from lab.drills.faults.parameters import number
from lab.errors import LabError
from lab.stack import valkey


@dataclass(frozen=True)
class CacheFlush(Fault):
    """FLUSHALL on the wrong instance: every entry of every cache is gone at once. It fills again by itself."""

    kind: ClassVar[str] = "cache-flush"
    every_seconds: float = number(
        0, 60, "The script goes on, with a flush each time; 0 is once. It ends with the fault.", default=0.0
    )

    def inject(self, doors: Doors) -> None:
        """Flush it, and leave the script running if it goes on."""
        try:
            with doors.cache() as cache:
                before = int(cache.dbsize())
                cache.flushall()
        except ValkeyError as error:
            raise LabError(f"the cache could not be flushed: {error}") from error
        doors.report(f"FLUSHALL: {before} entries gone")
        if self.every_seconds:
            told = {"url": valkey.url(doors.ports.valkey), "every_seconds": self.every_seconds}
            doors.child("lab.drills.faults.flusher", told)
            doors.report(f"and again every {self.every_seconds:g} s")
