"""The Universal Scalability Law: fits recover the coefficients, and say what the data cannot tell."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.capacity.models.usl import MIN_DISTINCT, UslFit, fit
from lab.errors import UsageError

LEVELS = (1.0, 2.0, 4.0, 8.0, 16.0, 24.0, 32.0, 48.0, 64.0)


@dataclass(frozen=True)
class Law:
    alpha: float
    beta: float
    gamma: float

    def throughput(self, n: float) -> float:
        return self.gamma * n / (1 + self.alpha * (n - 1) + self.beta * n * (n - 1))

    def measured(self, levels: Sequence[float], noise: float, draw: random.Random) -> list[tuple[float, float]]:
        return [(n, self.throughput(n) * (1 + draw.gauss(0, noise))) for n in levels]


def exact(law: Law, levels: Sequence[float] = LEVELS) -> UslFit:
    return fit([(n, law.throughput(n)) for n in levels])


laws = st.builds(Law, st.floats(0, 0.9), st.floats(0, 0.01), st.floats(0.5, 5000))


@settings(max_examples=50)
@given(laws)
def test_data_without_noise_give_the_coefficients_back(law: Law) -> None:
    found = exact(law)
    assert found.alpha.value == pytest.approx(law.alpha, abs=1e-7)
    assert found.beta.value == pytest.approx(law.beta, abs=1e-8)
    assert found.gamma.value == pytest.approx(law.gamma, rel=1e-6)
    assert found.noise < 1e-6
    assert found.predict(100).value == pytest.approx(law.throughput(100), rel=1e-4)
    assert found.residuals == pytest.approx([0.0] * len(LEVELS), abs=1e-6)


def coverage(fits: Sequence[tuple[Law, UslFit]]) -> dict[str, float]:
    held = {
        name: sum(getattr(found, name).contains(getattr(law, name)) for law, found in fits) / len(fits)
        for name in ("alpha", "beta", "gamma")
    }
    peaks = [found.peak_n.contains(peak(law)) for law, found in fits]
    bands = [found.predict(80).contains(law.throughput(80)) for law, found in fits]
    return {**held, "peak_n": sum(peaks) / len(fits), "predict": sum(bands) / len(fits)}


def peak(law: Law) -> float:
    return max(1.0, math.sqrt((1 - law.alpha) / law.beta)) if law.beta else math.inf


def test_in_1000_noisy_fits_at_least_93_percent_of_the_intervals_hold_the_truth() -> None:
    """8 to 16 points with 3 to 5 % noise, N from 1 to 64. A third of the laws has no crosstalk."""
    draw = random.Random(7)
    fits = []
    for number in range(1000):
        beta = 10 ** draw.uniform(-4.5, -2.5) if number % 3 else 0.0
        law = Law(draw.choice([0.0, draw.uniform(0, 0.3)]), beta, draw.uniform(10, 500))
        points = draw.randint(8, 16)
        levels = [64 ** (index / (points - 1)) for index in range(points)]
        fits.append((law, fit(law.measured(levels, draw.uniform(0.03, 0.05), draw))))
    with_beta = [(law, found) for law, found in fits if law.beta]
    without_beta = [(law, found) for law, found in fits if not law.beta]
    for part in (with_beta, without_beta):
        held = coverage(part)
        assert min(held.values()) >= 0.93, held
    assert sum(found.beta_is_distinguishable for _, found in without_beta) <= 0.05 * len(without_beta)
    assert sum(found.beta_is_distinguishable for law, found in with_beta if law.beta > 1e-3) > 100


@pytest.mark.parametrize("beta", [0.0, 0.001])
def test_crosstalk_is_distinguishable_when_there_is_any(beta: float) -> None:
    found = fit(Law(0.05, beta, 100).measured(LEVELS, 0.03, random.Random(2)))
    assert found.beta_is_distinguishable == (beta > 0)
    assert found.beta.contains(beta)
    assert found.beta.low == 0.0 or beta


def test_the_peak_is_where_throughput_is_highest() -> None:
    law = Law(0.05, 0.001, 100)
    found = exact(law)
    assert found.peak_n.value == pytest.approx(peak(law))
    assert found.peak_throughput == pytest.approx(max(law.throughput(n / 10) for n in range(10, 1000)), rel=1e-4)
    assert found.peak_is_measured
    assert not exact(law, [1, 2, 3, 4, 6, 8]).peak_is_measured


def test_without_crosstalk_throughput_grows_towards_its_limit() -> None:
    contended = exact(Law(0.1, 0.0, 100))
    assert contended.peak_n.value == contended.peak_n.high == math.inf
    assert contended.peak_throughput == pytest.approx(1000)
    assert exact(Law(0.0, 0.0, 100)).peak_throughput > 1e6


def test_throughput_that_only_falls_has_its_peak_at_one() -> None:
    found = fit([(n, 100 / n) for n in LEVELS])
    assert found.peak_n.value == 1.0
    assert found.peak_throughput == found.gamma.value


def test_it_predicts_up_to_twice_the_largest_n_measured() -> None:
    found = exact(Law(0.05, 0.001, 100))
    assert found.predict(2 * 64).contains(Law(0.05, 0.001, 100).throughput(128))
    for n in (2 * 64 + 1, 0, math.nan):
        with pytest.raises(UsageError, match="measured up to 64, it reaches 128"):
            found.predict(n)


def test_the_band_is_narrow_amid_the_points_and_wide_beyond_them() -> None:
    found = fit(Law(0.05, 0.001, 100).measured(LEVELS, 0.03, random.Random(3)))
    amid, beyond = found.predict(20), found.predict(128)
    assert (amid.high - amid.low) / amid.value < 0.1
    assert (beyond.high - beyond.low) / beyond.value > 0.1


def test_it_needs_six_different_n_and_says_so() -> None:
    law = Law(0.05, 0.001, 100)
    with pytest.raises(UsageError, match=f"needs {MIN_DISTINCT} different N, not 5; measure at more"):
        fit([(n, law.throughput(n)) for n in (1, 2, 3, 4, 5)] * 4)
    assert exact(law, [1, 2, 3, 4, 5, 6, 6, 6]).alpha.value == pytest.approx(0.05)


@pytest.mark.parametrize("point", [(0, 5), (2, 0), (-1, 5), (2, math.inf), (math.nan, 5)])
def test_it_refuses_what_is_not_a_measurement(point: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="is not a measurement"):
        fit([*((n, 10 * n) for n in LEVELS), point])


def test_it_refuses_data_in_which_one_would_be_infinitely_fast() -> None:
    with pytest.raises(UsageError, match="measure at lower concurrency"):
        fit([(n, n / (n - 1) ** 2) for n in (2, 3, 4, 6, 8, 12)])
