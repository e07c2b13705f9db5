"""What operators do to caches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from valkey import Valkey
from valkey.exceptions import ValkeyError

from lab.control import cache_access
from lab.drills.faults.base import Fault
from lab.drills.faults.doors import Doors
from lab.drills.faults.parameters import number, whole
from lab.errors import LabError
from lab.stack import valkey

COMMAND = "flushall"


@dataclass(frozen=True)
class CacheFlush(Fault):
    """A job pointed at the wrong instance runs FLUSHALL there, as its own account: every entry is gone."""

    kind: ClassVar[str] = "cache-flush"
    times: int = whole(
        0, 100, "How often; 0: again and again until the cache refuses it. It ends with the fault.", default=1
    )
    every_seconds: float = number(0.1, 60, "How long it is from one flush to the next.", default=5.0)

    def found(self, doors: Doors) -> dict[str, Any]:
        """Whether the job's account may flush."""
        with _reached(doors) as cache:
            return {"may_flush": cache_access.may(cache, valkey.JOB_USER, COMMAND)}

    def inject(self, doors: Doors) -> None:
        """Start the job, with the rights it has on any instance; returns after its first flush."""
        with _reached(doors) as cache:
            cache_access.permit(cache, valkey.JOB_USER, COMMAND, allowed=True)
        address = valkey.url(doors.ports.valkey, valkey.JOB_USER)
        told = {"url": address, "times": self.times, "every_seconds": self.every_seconds}
        doors.child("lab.drills.faults.flusher", told)
        how_often = f"{self.times - 1} times more" if self.times else "again and again"
        again = "" if self.times == 1 else f", and {how_often}, every {self.every_seconds:g} s"
        doors.report(f"FLUSHALL{again}")

    def undo(self, doors: Doors, found: dict[str, Any]) -> list[str]:
        """Give the account back the right it had, or take what it had not."""
        wanted = bool(found.get("may_flush", True))
        with _reached(doors) as cache:
            if cache_access.may(cache, valkey.JOB_USER, COMMAND) == wanted:
                return []
            cache_access.permit(cache, valkey.JOB_USER, COMMAND, wanted)
        return [f"{valkey.JOB_USER} may {'' if wanted else 'not '}flush the cache, as before"]


@contextmanager
def _reached(doors: Doors) -> Iterator[Valkey]:
    try:
        with doors.cache() as cache:
            yield cache
    except ValkeyError as problem:
        raise LabError(f"the cache does not answer: {problem}; see 'fleetops status'") from problem
