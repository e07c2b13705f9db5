"""The confidence interval of a ratio."""

from __future__ import annotations

import math


def fieller(over: float, under: float, over_2: float, both: float, under_2: float) -> tuple[float, float]:
    """The interval of u / v for estimates `over` of u and `under` of v that are normal, where v is above 0.

    `over_2`, `both`, `under_2`: the variance of the first, the covariance, and the variance of the second, each times
    the square of the quantile of Student's t for the confidence. The interval holds the ratios r for which the t test
    does not reject u = r v (Fieller, "Some problems in interval estimation", 1954), so it is exact, unlike one from the
    standard error of the ratio. Ends are infinite where v may be 0.
    """
    # (u - r v)^2 <= t^2 var(u - r v), which is a r^2 - 2 b r + c <= 0.
    a, b, c = under * under - under_2, over * under - both, over * over - over_2
    root = math.sqrt(max(0.0, b * b - a * c))
    if a > 0:
        return (b - root) / a, (b + root) / a
    if a < 0 < c:  # v may be 0, u is not: ratios beyond one of the roots, on the side of u
        return ((b - root) / a, math.inf) if over > 0 else (-math.inf, (b + root) / a)
    return -math.inf, math.inf
