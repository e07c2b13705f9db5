"""What somebody changes with the verbs that on-call has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.drills.faults.base import Fault
from lab.drills.faults.context import FaultContext
from lab.drills.runbook.command_line import arguments
from lab.drills.runbook.execute import run_command
from lab.drills.schema.parameters import texts
from lab.errors import LabError, SpecError


@dataclass(frozen=True)
class ControlChange(Fault):
    """Somebody changes settings with `fleetops`, for a reason that seemed good. The journal puts them back."""

    kind: ClassVar[str] = "control-change"
    actor: ClassVar[str] = "change-pipeline"
    commands: tuple[str, ...] = texts("`fleetops` commands, run in order under the name change-pipeline.")

    def __post_init__(self) -> None:
        for command in self.commands:
            try:
                arguments(command)
            except SpecError as error:
                raise ValueError(str(error)) from None

    def inject(self, context: FaultContext) -> None:
        """Run them; the first that fails ends it."""
        for command in self.commands:
            ran = run_command(command, self.actor)
            if ran.exit_status != 0:
                raise LabError(f"{command!r} failed: {ran.output}")
            context.report(f"{self.actor}: {ran.output}")
