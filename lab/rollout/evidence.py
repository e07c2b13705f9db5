"""Sequential tests on counts, as e-processes: the evidence may be looked at after every scrape.

An e-process is a non-negative supermartingale that starts at 1 while its null hypothesis holds, so the chance that it
ever reaches 1/alpha is at most alpha, however often somebody looks (Ville's inequality; Ramdas et al., "Game-theoretic
statistics and safe anytime-valid inference", 2023). Evidence is given as its natural logarithm. Without requests, or
without bad ones, it stays where it is: no data is no evidence, neither of harm nor of health.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

# The alternatives of the harm test: the odds of a bad client on the canary, as multiples of the tolerated odds.
HARM_RATIOS = (1.5, 2.0, 4.0, 8.0, 16.0, 64.0)
# The alternatives of the health test: the canary's bad ratio, as fractions of the bound.
HEALTH_RATIOS = (0.0, 1 / 8, 1 / 4, 1 / 2)


@dataclass(frozen=True)
class Arm:
    """Events of one version, and how many of them were bad: requests, or clients at risk and newly affected ones."""

    total: int = 0
    bad: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.bad <= self.total:
            raise ValueError(f"{self.bad} bad of {self.total} is not a count")

    def __add__(self, other: Arm) -> Arm:
        return Arm(self.total + other.total, self.bad + other.bad)


@dataclass(frozen=True)
class Pair:
    """Both versions at the same time, under the same traffic."""

    canary: Arm
    stable: Arm


@dataclass(frozen=True)
class Interval:
    """What happened between two scrapes.

    `requests` counts requests and the bad ones among them. `clients` counts, for the harm test, the clients seen so far
    that had no bad request before this interval, and those of them whose first bad request is in it.
    """

    requests: Pair
    clients: Pair


def harm(clients: Iterable[Pair], margin: float) -> Iterator[float]:
    """The log evidence after each interval against "the odds of a bad client are at most `margin` times stable's".

    A sequential log-rank test (ter Schure, Perez-Ortiz, Ly and Grünwald, "The safe logrank test", 2020) whose unit is
    the client, because the split is by client: the requests of one client are alike, those of two clients need not be.
    Clients are assigned at random, by a hash with a salt of its own for each rollout. So if the versions do not differ,
    the canary's share of the b newly affected clients is hypergeometric, whatever the clients do; if its odds are m
    times stable's, it follows Fisher's noncentral hypergeometric distribution with odds ratio m. That is a sum of
    independent indicators (Vatutin and Mikhailov, 1982) whose mean is at most b t, with t = m n_c / (m n_c + n_s) for
    the clients at risk n_c and n_s, so in increasing convex order it is bounded by Binomial(b, t) (Hoeffding, 1956 and
    1963). The likelihood ratio of Binomial(b, t_r) to Binomial(b, t), t_r with the odds ratio r m and r > 1, is
    increasing and convex in that share, and its expectation therefore at most 1. The evidence is the mean over
    HARM_RATIOS of the products of these ratios. It needs no error on the stable version: with none, each client that
    the canary affects counts for itself.
    """
    logs, evidence = [0.0] * len(HARM_RATIOS), 0.0
    for pair in clients:
        canary, stable = pair.canary, pair.stable
        if canary.total and stable.total and (canary.bad or stable.bad):
            tolerated = _share(margin, canary.total, stable.total)
            for index, ratio in enumerate(HARM_RATIOS):
                harmful = _share(margin * ratio, canary.total, stable.total)
                logs[index] += canary.bad * math.log(harmful / tolerated)
                logs[index] += stable.bad * math.log((1 - harmful) / (1 - tolerated))
            evidence = log_mean(logs)
        yield evidence


def health(requests: Iterable[Arm], bound: float) -> Iterator[float]:
    """The log evidence after each interval against "the bad ratio is `bound` (0 to 1) or more".

    The evidence is the mean over HEALTH_RATIOS f of the likelihood ratios of Bernoulli(f bound) to Bernoulli(bound).
    The factor of one request, with q = f bound, has the expectation p q/bound + (1 - p) (1 - q)/(1 - bound), which
    falls with p and is 1 at p = bound. After n good requests and no bad one the evidence is at least
    (1 - bound)^-n / len(HEALTH_RATIOS). It speaks of the clients that the canary has: requests, not clients, are
    counted, because the few clients of a small weight would never be enough.
    """
    # The log likelihood ratios of one good and of one bad request, for each alternative.
    good = [math.log1p(-fraction * bound) - math.log1p(-bound) for fraction in HEALTH_RATIOS]
    bad = [math.log(fraction) if fraction else -math.inf for fraction in HEALTH_RATIOS]
    logs = [0.0] * len(HEALTH_RATIOS)
    for arm in requests:
        for index in range(len(HEALTH_RATIOS)):
            logs[index] += (arm.total - arm.bad) * good[index]
            if arm.bad:
                logs[index] += arm.bad * bad[index]
        yield log_mean(logs)


def requests_needed(bound: float, alpha: float) -> int:
    """The number of requests, all of them good, after which `health` reaches 1/alpha at the latest."""
    return math.ceil(math.log(len(HEALTH_RATIOS) / alpha) / -math.log1p(-bound))


def log_mean(logs: Sequence[float]) -> float:
    """The logarithm of the mean of the numbers whose logarithms are `logs`."""
    highest = max(logs)
    if highest == -math.inf:
        return highest
    return highest + math.log(sum(math.exp(value - highest) for value in logs) / len(logs))


def _share(odds_ratio: float, canary: int, stable: int) -> float:
    """The canary's expected share of the affected clients when its odds are `odds_ratio` times those of stable."""
    return odds_ratio * canary / (odds_ratio * canary + stable)


def mismatch(canary: int, stable: int, weight: float, prior: float = 100.0) -> float:
    """The log evidence against "each client goes to the canary with the probability `weight`" (above 0, below 1).

    A Bayes factor on the clients seen so far, anytime-valid (Lindon and Malek, "Anytime-valid inference for multinomial
    count data", 2022). The alternative is Beta(prior weight, prior (1 - weight)).
    """
    a, b = prior * weight, prior * (1 - weight)
    return (
        _log_beta(a + canary, b + stable) - _log_beta(a, b) - canary * math.log(weight) - stable * math.log1p(-weight)
    )


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
