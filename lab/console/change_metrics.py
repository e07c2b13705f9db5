"""Metrics of changes, from the files of the rollout and of the error-budget gate, read at each scrape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from lab import names
from lab.change import ask
from lab.change.policy import REFUSABLE
from lab.errors import LabError
from lab.paths import Home
from lab.rollout import journal, progress
from lab.rollout.judge import Verdict
from lab.slo.catalogue import services


@dataclass(frozen=True)
class ChangeMetrics:
    """A collector for prometheus_client's registry. A damaged file leaves its metrics out; it is named by its owner."""

    home: Home

    def collect(self) -> Iterator[Metric]:
        """The metrics now."""
        yield from self._overrides()
        yield from self._rollout()

    def _overrides(self) -> Iterator[Metric]:
        try:
            made = Counter((override.service, override.change) for override in ask.load(self.home).overrides)
        except LabError:
            return
        family = CounterMetricFamily(
            names.BUDGET_OVERRIDES,
            "Overrides of the error-budget policy, by kind of change.",
            labels=("service", "change"),
        )
        for service in services():
            for change in REFUSABLE:
                family.add_metric((service, change), made[service, change])
        yield family

    def _rollout(self) -> Iterator[Metric]:
        try:
            rollout = journal.load(self.home)
        except LabError:
            return
        if rollout is None:
            return
        phase = GaugeMetricFamily(
            names.ROLLOUT_PHASE, "1 for the phase of the rollout, the last one when it is over.", labels=("phase",)
        )
        for name in get_args(journal.Phase):
            phase.add_metric((name,), float(name == rollout.phase))
        yield phase
        yield GaugeMetricFamily(names.ROLLOUT_STEP, "The step of the ladder, from 1.", value=rollout.step + 1)
        seen = progress.load(self.home, rollout)
        if seen is None:
            return
        verdict = GaugeMetricFamily(
            names.ROLLOUT_VERDICT, "1 for the judge's verdict on the step so far.", labels=("verdict",)
        )
        for one in Verdict:
            verdict.add_metric((one,), float(one is seen.verdict))
        yield verdict
        evidence = GaugeMetricFamily(
            names.ROLLOUT_EVIDENCE,
            "Evidence of harm (all SLOs together) and of health, in powers of ten.",
            labels=("kind", "slo"),
        )
        threshold = GaugeMetricFamily(
            names.ROLLOUT_THRESHOLD,
            "The evidence that decides: of harm, aborts; of health, for every SLO, passes.",
            labels=("kind",),
        )
        evidence.add_metric(("harm", ""), seen.harm_log10)
        for row in seen.slos:
            evidence.add_metric(("health", row.slo), row.health_log10)
        threshold.add_metric(("harm",), seen.harm_threshold_log10)
        threshold.add_metric(("health",), seen.health_threshold_log10)
        yield evidence
        yield threshold
