"""Operator mistakes on the cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from valkey import Valkey
from valkey.exceptions import ValkeyError

from lab.control import cache_access
from lab.drills.faults.base import Captured, Fault
from lab.drills.faults.context import FaultContext
from lab.drills.faults.helpers.options import FlushAllJob
from lab.drills.schema.parameters import number, whole
from lab.errors import LabError
from lab.stack.backends import valkey

COMMAND = "flushall"


@dataclass(frozen=True)
class CacheFlush(Fault):
    """A job with the wrong address runs FLUSHALL on this cache, with its own account: every entry is lost."""

    kind: ClassVar[str] = "cache-flush"
    times: int = whole(0, 100, "How many times; 0: until the cache refuses it. The job ends with the fault.", default=1)
    every_seconds: float = number(0.1, 60, "Time between two flushes.", default=5.0)

    def capture(self, context: FaultContext) -> Captured:
        """`may_flush`: whether the job's account may run FLUSHALL."""
        with _connected(context) as cache:
            return {"may_flush": cache_access.may(cache, valkey.JOB_USER, COMMAND)}

    def inject(self, context: FaultContext) -> None:
        """Allow FLUSHALL for the job's account and start the job; returns after its first flush."""
        with _connected(context) as cache:
            cache_access.permit(cache, valkey.JOB_USER, COMMAND, allowed=True)
        address = valkey.url(context.ports.valkey, valkey.JOB_USER)
        context.start_helper(FlushAllJob(url=address, times=self.times, every_seconds=self.every_seconds))
        how_often = f"{self.times - 1} times more" if self.times else "repeatedly"
        again = "" if self.times == 1 else f", and {how_often}, every {self.every_seconds:g} s"
        context.report(f"FLUSHALL{again}")

    def undo(self, context: FaultContext, captured: Captured) -> list[str]:
        """Restore the account's permission to run FLUSHALL."""
        may_flush = bool(captured.get("may_flush", True))
        with _connected(context) as cache:
            if cache_access.may(cache, valkey.JOB_USER, COMMAND) == may_flush:
                return []
            cache_access.permit(cache, valkey.JOB_USER, COMMAND, may_flush)
        return [f"{valkey.JOB_USER} may {'' if may_flush else 'not '}flush the cache, as before"]


@contextmanager
def _connected(context: FaultContext) -> Iterator[Valkey]:
    try:
        with context.cache() as cache:
            yield cache
    except ValkeyError as error:
        raise LabError(f"the cache does not answer: {error}; see 'fleetops status'") from error
