"""A clean slate on the running lab: no history, full error budgets, and everything scraped again."""

from __future__ import annotations

import time

import pytest
from embedded import EmbeddedLab

from lab.clients.pager import Pager
from lab.clients.prometheus import Prometheus
from lab.slo.rendering import series
from lab.stack import clean_slate
from lab.stack.health.machine import ratio_query

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240, func_only=True)]


def test_a_clean_slate_leaves_no_older_sample_and_full_error_budgets(lab: EmbeddedLab) -> None:
    pager, prometheus = Pager.of(lab.home, lab.ports), Prometheus.of(lab.home, lab.ports)
    began, running = time.time(), set(lab.processes())
    assert clean_slate.clean(lab.home, lab.ports, pager) < clean_slate.READY_SECONDS
    # A subquery looks at whole seconds, and the first sample may be younger than the last one.
    (oldest,) = prometheus.wait("min(min_over_time(timestamp(up)[1h:1s]))", 10)
    assert oldest.value >= began - 1, "Prometheus still has older samples"
    status = lab.status()
    assert status["ready"], status["waiting_for"]
    assert {row["name"] for row in status["processes"]} == running
    assert pager.pages(only_open=True) == []
    budgets = prometheus.wait(series.BUDGET_REMAINING, 10)
    assert budgets
    assert min(sample.value for sample in budgets) > 0.9  # except for the seconds since


def test_the_lab_exports_its_share_of_processor_time(lab: EmbeddedLab) -> None:
    prometheus = Prometheus.of(lab.home, lab.ports)
    (share,) = prometheus.wait(f"{ratio_query('lab')} > 0", 30)
    shares = [prometheus.number(ratio_query(by)) or 0.0 for by in ("lab", "others", "idle")]
    assert sum(shares) == pytest.approx(1, abs=0.01)
    assert 0.005 < share.value < 1
