"""Changes made with the same verbs that on-call uses."""

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
    """Settings are changed with `fleetops`. The journal restores them."""

    kind: ClassVar[str] = "control-change"
    actor: ClassVar[str] = "change-pipeline"
    commands: tuple[str, ...] = texts("`fleetops` commands, run in order as the actor change-pipeline.")

    def __post_init__(self) -> None:
        for command in self.commands:
            try:
                arguments(command)
            except SpecError as error:
                raise ValueError(str(error)) from None

    def inject(self, context: FaultContext) -> None:
        """Run the commands. Raises LabError at the first that fails."""
        for command in self.commands:
            ran = run_command(command, self.actor)
            if ran.exit_status != 0:
                raise LabError(f"{command!r} failed: {ran.output}")
            context.report(f"{self.actor}: {ran.output}")
