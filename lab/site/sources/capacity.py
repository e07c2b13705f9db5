"""The measured capacity for pages: both sweeps, stated for one speed of the machine, and what is planned for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lab.capacity.analysis import Analysis
from lab.capacity.figures import Figures
from lab.capacity.policy import Policy
from lab.errors import LabError


@dataclass(frozen=True)
class MeasuredCapacity:
    """The committed figures, analysed once per build."""

    figures: Figures
    policy: Policy

    @cached_property
    def sweep(self) -> Analysis:
        """The first sweep."""
        return Analysis(self.figures.sweep)

    @cached_property
    def repeat(self) -> Analysis:
        """The second sweep, its loads at the machine's speed in the first. Raises LabError without one."""
        if self.figures.repeat is None:
            raise LabError("docs/figures/capacity.json holds one sweep only; run `make capacity REPEAT=1`")
        return Analysis(self.figures.repeat, reference=self.sweep.usual_speed)

    @property
    def both(self) -> tuple[Analysis, Analysis]:
        """Both sweeps."""
        return self.sweep, self.repeat
