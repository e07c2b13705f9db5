"""Least squares with few coefficients: free, non-negative, and exact intervals for sums and ratios of coefficients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from lab.capacity.models.fieller import fieller
from lab.capacity.models.student import two_sided_quantile

Vector = tuple[float, ...]
Matrix = tuple[Vector, ...]


@dataclass(frozen=True)
class LinearFit:
    """The free least-squares fit of `targets` by `rows` · `coefficients`, with k coefficients.

    `unscaled`: k x k, the inverse of the matrix of the normal equations; times `noise` squared it is the covariance of
    the coefficients. `noise`: the standard deviation of a target, with `degrees` degrees of freedom. The intervals are
    exact for independent normal noise of the same size in every target.
    """

    coefficients: Vector
    unscaled: Matrix
    noise: float
    degrees: int

    def of(self, weights: Vector, confidence: float) -> tuple[float, float]:
        """The interval of `weights` · coefficients: Student's t."""
        middle = dot(weights, self.coefficients)
        spread = math.sqrt(self._spread(weights, weights, confidence))
        return middle - spread, middle + spread

    def ratio(self, over: Vector, under: Vector, confidence: float) -> tuple[float, float]:
        """The interval of (`over` · coefficients) / (`under` · coefficients), the latter above 0: Fieller's."""
        return fieller(
            dot(over, self.coefficients),
            dot(under, self.coefficients),
            self._spread(over, over, confidence),
            self._spread(over, under, confidence),
            self._spread(under, under, confidence),
        )

    def _spread(self, left: Vector, right: Vector, confidence: float) -> float:
        """t^2 times the covariance of two weighted sums of coefficients."""
        t = two_sided_quantile(confidence, self.degrees) * self.noise
        return t * t * sum(weight * dot(row, right) for weight, row in zip(left, self.unscaled, strict=True))


def fit(rows: Sequence[Vector], targets: Vector) -> LinearFit:
    """The free fit. Raises ValueError for fewer than k + 1 rows, or rows that do not determine k coefficients."""
    degrees = len(rows) - len(rows[0])
    if degrees < 1:
        raise ValueError(f"{len(rows)} rows leave no degree of freedom with {len(rows[0])} coefficients")
    gram, moments = _normal_equations(rows, targets)
    unscaled = inverse(gram)
    coefficients = tuple(dot(row, moments) for row in unscaled)
    noise = math.sqrt(_squares(rows, targets, coefficients) / degrees)
    return LinearFit(coefficients, unscaled, noise, degrees)


def non_negative(rows: Sequence[Vector], targets: Vector) -> Vector:
    """The least-squares coefficients none of which is negative (exact; Lawson and Hanson, 1974, state the problem).

    The solution is the free fit of the columns that it does not set to 0. So with k coefficients it is the best of the
    2^k free fits of some columns that have no negative coefficient.
    """
    gram, moments = _normal_equations(rows, targets)
    size = len(moments)
    candidates = [(0.0,) * size]
    for count in range(1, size + 1):
        for columns in combinations(range(size), count):
            part = inverse(tuple(tuple(gram[i][j] for j in columns) for i in columns))
            values = [dot(row, tuple(moments[j] for j in columns)) for row in part]
            if min(values) >= 0:
                whole = dict(zip(columns, values, strict=True))
                candidates.append(tuple(whole.get(column, 0.0) for column in range(size)))
    return min(candidates, key=lambda coefficients: _squares(rows, targets, coefficients))


def dot(left: Sequence[float], right: Sequence[float]) -> float:
    """The scalar product of two vectors of one length."""
    return sum(a * b for a, b in zip(left, right, strict=True))


def inverse(matrix: Matrix) -> Matrix:
    """The inverse of a positive definite matrix, k x k. Raises ValueError if it is singular.

    Gauss-Jordan elimination on the matrix scaled to a diagonal of ones, which needs no pivots.
    """
    size = len(matrix)
    if any(matrix[i][i] <= 0 for i in range(size)):
        raise ValueError("the matrix is singular: a column is 0")
    scale = [1 / math.sqrt(matrix[i][i]) for i in range(size)]
    work = [
        [matrix[i][j] * scale[i] * scale[j] for j in range(size)] + [float(i == j) for j in range(size)]
        for i in range(size)
    ]
    for column in range(size):
        pivot = work[column][column]
        if pivot < 1e-13:
            raise ValueError("the matrix is singular: its columns depend on each other")
        work[column] = [value / pivot for value in work[column]]
        for other in range(size):
            if other != column and (factor := work[other][column]):
                work[other] = [a - factor * b for a, b in zip(work[other], work[column], strict=True)]
    return tuple(tuple(work[i][size + j] * scale[i] * scale[j] for j in range(size)) for i in range(size))


def _normal_equations(rows: Sequence[Vector], targets: Vector) -> tuple[Matrix, Vector]:
    columns = list(zip(*rows, strict=True))
    return tuple(tuple(dot(a, b) for b in columns) for a in columns), tuple(dot(a, targets) for a in columns)


def _squares(rows: Sequence[Vector], targets: Vector, coefficients: Vector) -> float:
    return sum((target - dot(row, coefficients)) ** 2 for row, target in zip(rows, targets, strict=True))
