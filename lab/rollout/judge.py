"""The judge of a rollout: counts in, verdict out. Pure: no clock, no network, no state.

The controller calls it on every scrape, and `fleetops rollout judge` on a record: the same counts give the same
verdict.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lab.rollout.evidence import Arm, Interval, Pair, harm, health, log_mean

LN10 = math.log(10)


class Verdict(StrEnum):
    """What the evidence says of the canary. HOLD: not enough of it, either way."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    HOLD = "hold"


@dataclass(frozen=True)
class Compared:
    """What is compared, as a reason says it: the unit that is assigned to a version, and the two versions."""

    unit: str
    canary: str
    stable: str


ROLLOUT = Compared("clients", "the canary", "stable")
PUSH = Compared("requests", "the replica", "the others")


@dataclass(frozen=True)
class Limits:
    """What the judge tolerates.

    `margin`: the tolerated odds of an affected client, as a multiple of stable's. `alpha`: the chance that a rollout of
    a version within the margin is ever aborted; the steps and the SLOs share it, and each attempt of a step that had to
    begin again spends its share again. `confidence`: the certainty, for each SLO, that the canary's bad ratio is below
    the bound when a step passes.
    """

    margin: float
    alpha: float
    confidence: float
    steps: int
    compared: Compared = ROLLOUT

    @property
    def harm_threshold(self) -> float:
        """The log evidence of harm, averaged over the SLOs, at which a step fails."""
        return math.log(self.steps / self.alpha)

    @property
    def health_threshold(self) -> float:
        """The log evidence of health at which an SLO passes a step."""
        return -math.log1p(-self.confidence)


@dataclass(frozen=True)
class SloEvidence:
    """The evidence of one SLO after the last interval, in powers of ten: 2 is a hundred to one.

    `requests` and `clients` are those since the step began: all, and the bad or affected ones. `bound`: the bad ratio
    below which the canary must be, 0 to 1.
    """

    slo: str
    requests: Pair
    clients: Pair
    harm_log10: float
    health_log10: float
    bound: float


@dataclass(frozen=True)
class Judgement:
    """A verdict with its figures. `harm_log10` is the evidence of all SLOs together."""

    verdict: Verdict
    reason: str
    harm_log10: float
    harm_threshold_log10: float
    health_threshold_log10: float
    slos: tuple[SloEvidence, ...]


def judge(counts: Mapping[str, Sequence[Interval]], bounds: Mapping[str, float], limits: Limits) -> Judgement:
    """Judge a step from its counts since it began, by SLO. `bounds`: the bad ratio below which each SLO passes.

    Fails when the evidence of harm of all SLOs, their mean, reaches the threshold at any time since the step began;
    passes when the evidence of health of every SLO is above its threshold now. Raises ValueError when SLOs of `counts`
    and `bounds` differ.
    """
    if set(counts) != set(bounds) or not counts:
        raise ValueError(f"counts of {sorted(counts)} and bounds of {sorted(bounds)} do not fit each other")
    harms = {
        slo: list(harm((interval.clients for interval in intervals), limits.margin))
        for slo, intervals in counts.items()
    }
    rows = tuple(_row(slo, counts[slo], harms[slo], bounds[slo]) for slo in counts)
    together = list(harm_over_time(harms.values()))
    highest = max(together, default=0.0)
    failed = highest >= limits.harm_threshold
    passed = all(row.health_log10 * LN10 >= limits.health_threshold for row in rows)
    verdict = Verdict.FAIL if failed else Verdict.PASS if passed else Verdict.HOLD
    return Judgement(
        verdict=verdict,
        reason=_reason(verdict, rows, limits),
        harm_log10=(highest if failed else (together[-1] if together else 0.0)) / LN10,
        harm_threshold_log10=limits.harm_threshold / LN10,
        health_threshold_log10=limits.health_threshold / LN10,
        slos=rows,
    )


def harm_over_time(by_slo: Iterable[Iterable[float]]) -> Iterator[float]:
    """The log evidence of harm of all SLOs together after each interval: the mean of e-processes is an e-process."""
    return (log_mean(logs) for logs in zip(*by_slo, strict=True))


def _row(slo: str, intervals: Sequence[Interval], harms: Sequence[float], bound: float) -> SloEvidence:
    healths = list(health((interval.requests.canary for interval in intervals), bound))
    return SloEvidence(
        slo=slo,
        requests=Pair(
            sum((interval.requests.canary for interval in intervals), Arm()),
            sum((interval.requests.stable for interval in intervals), Arm()),
        ),
        clients=Pair(
            _seen([interval.clients.canary for interval in intervals]),
            _seen([interval.clients.stable for interval in intervals]),
        ),
        harm_log10=harms[-1] / LN10 if harms else 0.0,
        health_log10=healths[-1] / LN10 if healths else 0.0,
        bound=bound,
    )


def _seen(at_risk: Sequence[Arm]) -> Arm:
    """All clients of a version since the step began, and the affected ones, from those at risk in each interval."""
    if not at_risk:
        return Arm()
    before = sum(arm.bad for arm in at_risk[:-1])
    return Arm(at_risk[-1].total + before, at_risk[-1].bad + before)


def _reason(verdict: Verdict, rows: Sequence[SloEvidence], limits: Limits) -> str:
    if verdict is Verdict.FAIL:
        worst = max(rows, key=lambda row: row.harm_log10)
        words = limits.compared
        affected = f"{_arm(worst.clients.canary)} {words.unit} affected on {words.canary}"
        others = f"{_arm(worst.clients.stable)} on {words.stable}"
        return f"{worst.slo}: {affected}, {others}; evidence of harm 10^{worst.harm_log10:.1f}"
    weakest = min(rows, key=lambda row: row.health_log10)
    if verdict is Verdict.PASS:
        return (
            f"every SLO is below its bound at {limits.confidence:.0%};"
            f" closest is {weakest.slo}: {_arm(weakest.requests.canary)} requests bad, bound {weakest.bound:.2%}"
        )
    if not weakest.requests.canary.total:
        return f"{weakest.slo}: {limits.compared.canary} has answered no request"
    evidence = f"10^{weakest.health_log10:.1f} of 10^{limits.health_threshold / LN10:.1f}"
    bad = f"{_arm(weakest.requests.canary)} requests bad on {limits.compared.canary}"
    return f"{weakest.slo}: {bad}; evidence of health {evidence}"


def _arm(arm: Arm) -> str:
    return f"{arm.bad} of {arm.total}"
