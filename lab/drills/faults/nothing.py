"""The control: no fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.drills.faults.base import Fault, Profile
from lab.drills.faults.context import FaultContext


@dataclass(frozen=True)
class Nothing(Fault):
    """The control: nothing is broken."""

    kind: ClassVar[str] = "nothing"

    def inject(self, context: FaultContext) -> None:
        """Do nothing."""

    def profile(self) -> Profile:
        """No request is reached."""
        return ((1.0, 0.0),)
