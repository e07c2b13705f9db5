"""What every fault is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from lab.drills.faults.context import FaultContext
from lab.slo.burn_rate import Profile


@dataclass(frozen=True)
class Fault(ABC):
    """One way to break the lab. The package's docstring says how to write one."""

    kind: ClassVar[str]
    actor: ClassVar[str] = ""  # whose name its changes bear in the audit log; "" when it leaves no trace there

    def found(self, context: FaultContext) -> dict[str, Any]:
        """What `undo` must put back, as JSON; read before anything is touched."""
        return {}

    @abstractmethod
    def inject(self, context: FaultContext) -> None:
        """Break it; returns when the fault is there."""

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """Put `found` back, as far as it is not so; one line for each thing changed."""
        return []

    def undo_at_rest(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """Put files back that would keep the lab from starting. No process runs; the usual `undo` follows."""
        return []

    def profile(self) -> Profile:
        """(seconds, share of the requests it reaches), one after the other from the start; the last one stays."""
        return ((0.0, 1.0),)


__all__ = ["Fault", "Profile"]
