"""Student's t distribution, for intervals from small samples."""

from __future__ import annotations

import math
from functools import lru_cache


def within(t: float, degrees: int) -> float:
    """The probability of a value between -t and t, for t >= 0 and at least one degree of freedom.

    Exact, by the finite series for integer degrees (Abramowitz and Stegun, 1964, 26.7.3 and 26.7.4).
    """
    angle = math.atan2(t, math.sqrt(degrees))
    cosine = math.cos(angle)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = term if degrees > 1 else 0.0
    for k in range(2 + odd, degrees - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    series = math.sin(angle) * total
    return 2 / math.pi * (angle + series) if odd else series


@lru_cache
def two_sided_quantile(confidence: float, degrees: int) -> float:
    """The t for which a value lies between -t and t with the probability `confidence`.

    Raises ValueError unless the confidence is above 0 and below 1, and there is a degree of freedom.
    """
    if not 0 < confidence < 1 or degrees < 1:
        raise ValueError(f"no quantile for a confidence of {confidence} and {degrees} degrees of freedom")
    low, high = 0.0, 1.0
    while within(high, degrees) < confidence:
        low, high = high, high * 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, degrees) < confidence else (low, middle)
    return high
