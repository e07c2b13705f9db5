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
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import number, whole
from lab.errors import LabError
from lab.stack.backends import valkey

COMMAND = "flushall"


@dataclass(frozen=True)
class CacheFlush(Fault):
    """A job pointed at the wrong instance runs FLUSHALL there, as its own account: every entry is gone."""

    kind: ClassVar[str] = "cache-flush"
    times: int = whole(
        0, 100, "How often; 0: again and again until the cache refuses it. It ends with the fault.", default=1
    )
    every_seconds: float = number(0.1, 60, "How long it is from one flush to the next.", default=5.0)

    def found(self, context: FaultContext) -> dict[str, Any]:
        """Whether the job's account may flush."""
        with _reached(context) as cache:
            return {"may_flush": cache_access.may(cache, valkey.JOB_USER, COMMAND)}

    def inject(self, context: FaultContext) -> None:
        """Start the job, with the rights it has on any instance; returns after its first flush."""
        with _reached(context) as cache:
            cache_access.permit(cache, valkey.JOB_USER, COMMAND, allowed=True)
        address = valkey.url(context.ports.valkey, valkey.JOB_USER)
        told = {"url": address, "times": self.times, "every_seconds": self.every_seconds}
        context.child("lab.drills.faults.helpers.flushall_job", told)
        how_often = f"{self.times - 1} times more" if self.times else "again and again"
        again = "" if self.times == 1 else f", and {how_often}, every {self.every_seconds:g} s"
        context.report(f"FLUSHALL{again}")

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """Give the account back the right it had, or take what it had not."""
        wanted = bool(found.get("may_flush", True))
        with _reached(context) as cache:
            if cache_access.may(cache, valkey.JOB_USER, COMMAND) == wanted:
                return []
            cache_access.permit(cache, valkey.JOB_USER, COMMAND, wanted)
        return [f"{valkey.JOB_USER} may {'' if wanted else 'not '}flush the cache, as before"]


@contextmanager
def _reached(context: FaultContext) -> Iterator[Valkey]:
    try:
        with context.cache() as cache:
            yield cache
    except ValkeyError as problem:
        raise LabError(f"the cache does not answer: {problem}; see 'fleetops status'") from problem
