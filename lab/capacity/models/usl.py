"""The Universal Scalability Law: throughput against concurrency.

    X(N) = gamma N / (1 + alpha (N - 1) + beta N (N - 1))

N is the number of requests in flight (or of replicas), X the throughput in requests per second, gamma the throughput
of one, alpha the contention (what is done one after the other) and beta the crosstalk (what each exchanges with every
other, also called coherency). Sources: Gunther, "A simple capacity model of massively parallel transaction systems"
(1993) and "Guerrilla Capacity Planning" (2007); in this form Schwartz, "Practical Scalability Analysis with the
Universal Scalability Law" (2015).

The time of a request at N, N / X, is linear in 1/gamma, alpha/gamma and beta/gamma. So the coefficients are those of a
non-negative least-squares fit, without start values. The noise of X is about proportional to X, so the residuals are
relative. All intervals are exact for linear models with normal noise: alpha, beta and the square of the peak's N are
ratios of coefficients (Fieller, 1954), gamma and predictions are inverses of sums of them (Student's t). They need no
seed. In simulated fits of 8 to 12 points they held their confidence, whereas percentile intervals held gamma in 88 to
92 % when points were resampled, and alpha and beta in 73 to 81 % when residuals were. They do not use that no
coefficient is negative, which makes them somewhat wide near 0, and are cut off there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from lab.capacity.models.estimate import Estimate, around
from lab.capacity.models.least_squares import LinearFit, Vector, dot, non_negative
from lab.capacity.models.least_squares import fit as free_fit
from lab.errors import UsageError

MIN_DISTINCT = 6  # different N that a fit needs
MAX_EXTRAPOLATION = 2  # times the largest N measured

_ONE, _ALPHA, _BETA = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_PEAK = (1.0, -1.0, 0.0)  # the peak's N squared is (1 - alpha) / beta


@dataclass(frozen=True)
class UslFit:
    """The law fitted to `points`: pairs of N and requests per second.

    `alpha`, `beta`: dimensionless, at least 0. `gamma`: requests per second. `peak_n`: the N of the highest throughput,
    at least 1; infinite while throughput never falls, which is beta = 0. `noise`: the standard deviation of X relative
    to X.
    """

    points: tuple[tuple[float, float], ...]
    alpha: Estimate
    beta: Estimate
    gamma: Estimate
    peak_n: Estimate
    noise: float
    confidence: float
    _coefficients: Vector = field(repr=False)  # 1/gamma, alpha/gamma and beta/gamma; none is negative
    _free: LinearFit = field(repr=False)  # the same without that bound; the intervals are its

    @property
    def beta_is_distinguishable(self) -> bool:
        """Whether the data show crosstalk; False if the interval of beta contains 0."""
        return not self.beta.contains(0.0)

    @property
    def largest_n(self) -> float:
        """The largest N measured."""
        return max(n for n, _ in self.points)

    @property
    def peak_is_measured(self) -> bool:
        """Whether the peak lies within the measured N; outside it is an extrapolation."""
        return self.peak_n.value <= self.largest_n

    @property
    def peak_throughput(self) -> float:
        """Requests per second at the peak; with beta = 0 the limit gamma / alpha, infinite if alpha is 0 too."""
        if math.isfinite(self.peak_n.value):
            return self._throughput(self.peak_n.value)
        return self.gamma.value / self.alpha.value if self.alpha.value else math.inf

    @property
    def residuals(self) -> tuple[float, ...]:
        """For each point its throughput relative to that of the fit, minus 1."""
        return tuple(x / self._throughput(n) - 1 for n, x in self.points)

    def predict(self, n: float) -> Estimate:
        """Requests per second at N, with the band of the mean (not of one more measurement).

        Raises UsageError for an N that is not above 0, or above MAX_EXTRAPOLATION times the largest N measured.
        """
        limit = MAX_EXTRAPOLATION * self.largest_n
        if not 0 < n <= limit:
            raise UsageError(
                f"the scalability fit cannot predict N = {n:g}: measured up to {self.largest_n:g}, it reaches"
                f" {limit:g}; measure at higher concurrency"
            )
        return _inverse(self._throughput(n), n, self._free.of(_terms(n), self.confidence))

    def _throughput(self, n: float) -> float:
        seconds = dot(_terms(n), self._coefficients)
        return n / seconds if seconds > 0 else math.inf  # below N = 1 with alpha above 1


def fit(points: Sequence[tuple[float, float]], *, confidence: float = 0.95) -> UslFit:
    """Fit the law to pairs of N and throughput in requests per second; one N may have several throughputs.

    Raises UsageError for fewer than MIN_DISTINCT different N, for an N or a throughput that is not a finite number
    above 0, and if the throughput of one would be infinite.
    """
    for n, x in points:
        if not (0 < n < math.inf and 0 < x < math.inf):
            raise UsageError(f"N = {n:g} with {x:g} requests/s is not a measurement; both must be finite and above 0")
    distinct = len({n for n, _ in points})
    if distinct < MIN_DISTINCT:
        raise UsageError(f"a scalability fit needs {MIN_DISTINCT} different N, not {distinct}; measure at more")
    rows = [tuple(x / n * term for term in _terms(n)) for n, x in points]
    targets = (1.0,) * len(rows)
    free, coefficients = free_fit(rows, targets), non_negative(rows, targets)
    one, contention, crosstalk = coefficients
    if not one:
        raise UsageError("throughput does not grow in proportion to N at any N; measure at lower concurrency")
    rising = one - contention  # not above 0: the throughput of one is the highest
    peak = math.inf if rising > 0 and not crosstalk else math.sqrt(max(1.0, rising / crosstalk if crosstalk else 0.0))
    peak_low, peak_high = (math.sqrt(max(1.0, square)) for square in free.ratio(_PEAK, _BETA, confidence))
    alpha, beta = ([max(0.0, end) for end in free.ratio(term, _ONE, confidence)] for term in (_ALPHA, _BETA))
    return UslFit(
        points=tuple(points),
        alpha=around(contention / one, *alpha),
        beta=around(crosstalk / one, *beta),
        gamma=_inverse(1 / one, 1.0, free.of(_ONE, confidence)),
        peak_n=around(peak, peak_low, peak_high),
        noise=free.noise,
        confidence=confidence,
        _coefficients=coefficients,
        _free=free,
    )


def _terms(n: float) -> Vector:
    """N / X in units of the coefficients 1/gamma, alpha/gamma and beta/gamma."""
    return 1.0, n - 1, n * (n - 1)


def _inverse(value: float, n: float, seconds: tuple[float, float]) -> Estimate:
    """The throughput at N from the interval of N / X, which may reach below 0."""
    low, high = seconds
    return around(value, n / high if high > 0 else 0.0, n / low if low > 0 else math.inf)
