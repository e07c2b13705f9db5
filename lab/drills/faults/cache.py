"""What operators do to caches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from valkey.exceptions import ValkeyError

from lab.drills.faults.base import Fault
from lab.drills.faults.doors import Doors
from lab.errors import LabError


@dataclass(frozen=True)
class CacheFlush(Fault):
    """FLUSHALL on the wrong instance: every entry of every cache is gone at once. It fills again by itself."""

    kind: ClassVar[str] = "cache-flush"

    def inject(self, doors: Doors) -> None:
        """Flush it."""
        try:
            with doors.cache() as cache:
                before = int(cache.dbsize())
                cache.flushall()
        except ValkeyError as error:
            raise LabError(f"the cache could not be flushed: {error}") from error
        doors.report(f"FLUSHALL: {before} entries gone")
