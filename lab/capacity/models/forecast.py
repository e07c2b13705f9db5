"""When growing traffic reaches a capacity. Growth is exponential: the same ratio every week."""

from __future__ import annotations

import math

from lab.capacity.models.estimate import Estimate
from lab.errors import UsageError


def weeks_until(peak: float, growth_ratio: float, capacity: float) -> float:
    """Weeks w until the peak of a week, `peak` (1 + growth_ratio)^w, reaches `capacity` (the same unit as the peak).

    0 if it has reached it already, infinite if it never does, which is without growth. Raises UsageError for a peak
    that is not above 0, a negative capacity, and a growth of -1 (nothing left after a week) or less.
    """
    if not (0 < peak < math.inf and capacity >= 0 and -1 < growth_ratio < math.inf):
        raise UsageError(f"a peak of {peak} that grows by {growth_ratio} a week up to {capacity}: not possible")
    if peak >= capacity:
        return 0.0
    return math.log(capacity / peak) / math.log1p(growth_ratio) if growth_ratio > 0 else math.inf


def weeks_left(peak: float, growth_ratio: float, capacity: Estimate) -> Estimate:
    """The same for a capacity with its interval: the weeks until its value, its low end and its high end.

    Only the capacity's uncertainty is in the interval, not that of the growth. Raises UsageError like `weeks_until`.
    """
    value, low, high = (weeks_until(peak, growth_ratio, end) for end in (capacity.value, capacity.low, capacity.high))
    return Estimate(value, low, high)
