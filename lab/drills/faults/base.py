"""The base class of faults."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from lab.drills.faults.context import FaultContext
from lab.drills.schema.journal import Captured
from lab.slo.burn_rate import Profile


@dataclass(frozen=True)
class Fault(ABC):
    """One way to break the lab. The package's docstring says how to write one."""

    kind: ClassVar[str]
    actor: ClassVar[str] = ""  # the actor of its changes in the audit log; "" if it makes none there

    def capture(self, context: FaultContext) -> Captured:
        """The state that `undo` must restore, read before the fault changes anything."""
        return {}

    @abstractmethod
    def inject(self, context: FaultContext) -> None:
        """Inject the fault; returns once it is in effect. Raises LabError."""

    def undo(self, context: FaultContext, captured: Captured) -> list[str]:
        """Restore the captured state as far as it differs; returns one line per change. Raises LabError."""
        return []

    def undo_at_rest(self, context: FaultContext, captured: Captured) -> list[str]:
        """Restore files that would keep the lab from starting. No process runs; the usual `undo` follows."""
        return []

    def profile(self) -> Profile:
        """(seconds, share of the requests that it reaches) for each step from the start; the last step stays."""
        return ((0.0, 1.0),)


__all__ = ["Captured", "Fault", "Profile"]
