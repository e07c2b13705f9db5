"""A figure with its confidence interval."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A figure and the ends of its interval, all in the unit of the figure. An end, or the figure, may be infinite.

    Raises ValueError unless `low` <= `value` <= `high`.
    """

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.value} is not between {self.low} and {self.high}")

    def contains(self, value: float) -> bool:
        """Whether the interval contains `value`; its ends belong to it."""
        return self.low <= value <= self.high

    @property
    def is_bounded(self) -> bool:
        """Whether both ends are finite."""
        return math.isfinite(self.low) and math.isfinite(self.high)


def around(value: float, low: float, high: float) -> Estimate:
    """The estimate with the interval from `low` to `high`, widened where needed so that it contains `value`."""
    return Estimate(value, min(value, low), max(value, high))
