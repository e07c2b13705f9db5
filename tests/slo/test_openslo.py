"""OpenSLO v1 goes in; what it cannot mean for burn-rate alerts is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lab.errors import SpecError
from lab.slo import load_windows
from lab.slo.generate import render_slos, rule_file
from lab.slo.model import EventsSli
from lab.slo.rendering.loadable import check_loadable
from lab.slo.rendering.operator import metadata
from lab.slo.specs.reader import read_spec

GOOD = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: checkout
  displayName: Checkout works
spec:
  description: Checkouts succeed.
  service: shop
  indicator:
    metadata: {name: checkout-success}
    spec:
      ratioMetric:
        counter: true
        good:
          metricSource:
            type: Prometheus
            spec:
              query: http_requests_total{code!~"5.."}
        total:
          metricSource:
            type: Prometheus
            spec:
              query: http_requests_total
  timeWindow:
    - duration: 30d
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - target: 0.999
"""


@pytest.mark.promtool
def test_good_events_become_bad_ones_and_selectors_rates(tmp_path: Path) -> None:
    (tmp_path / "slo.yml").write_text(GOOD)
    (slo,) = read_spec(tmp_path / "slo.yml")
    assert (slo.sloth_id, slo.budget_ratio, slo.alert_name) == ("shop-checkout", 0.001, "ShopCheckoutBurn")
    assert isinstance(slo.sli, EventsSli)
    assert slo.sli.total_query == "sum(rate(http_requests_total[{{.window}}]))"
    assert slo.sli.error_query.startswith("(sum(rate(http_requests_total[{{.window}}])))\n-\n(sum(rate(")
    check_loadable([rule_file([slo], load_windows("production"), "slo.yml")])
    assert "ShopCheckoutBurn" in render_slos([slo], load_windows("production"), "slo.yml")


def test_several_objectives_and_a_shared_indicator(tmp_path: Path) -> None:
    """indicatorRef names an SLI of the same file; each objective is an SLO of its own."""
    indicator = GOOD[GOOD.index("      ratioMetric") : GOOD.index("  timeWindow")]
    spec = indicator.replace("\n    ", "\n").replace("      ratio", "  ratio", 1)
    sli = f"---\napiVersion: openslo/v1\nkind: SLI\nmetadata: {{name: good}}\nspec:\n{spec}"
    body = GOOD[: GOOD.index("  indicator:")] + "  indicatorRef: good\n" + GOOD[GOOD.index("  timeWindow") :]
    path = tmp_path / "slo.yml"
    path.write_text(body + "    - targetPercent: 99\n" + sli)
    assert [(slo.name, slo.objective_ratio) for slo in read_spec(path)] == [("checkout-0", 0.999), ("checkout-1", 0.99)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("openslo/v1", "openslo/v1alpha", "slo.yml:1: apiVersion: 'openslo/v1alpha' is not supported"),
        ("Occurrences", "Timeslices", "spec.budgetingMethod: 'Timeslices' is not honoured"),
        ("isRolling: true", "isRolling: false", "spec.timeWindow[0].isRolling: a calendar window is not honoured"),
        ("isRolling: true", "calendar: {}", "spec.timeWindow[0].calendar: unknown key"),
        ("target: 0.999", "target: 99.9", "spec.objectives[0].target: 99.9 must lie above 0 and below 1"),
        ("target: 0.999", "value: 3", "spec.objectives[0].value: unknown key"),
        ("      ratioMetric", "      thresholdMetric", "spec.indicator.spec.thresholdMetric: unknown key"),
        ("        good:", "        great:", "ratioMetric.great: unknown key"),
        ("query: http_requests_total\n", "query: sum(rate(x[5m]))\n", "does not use {{.window}}"),
        ("kind: SLO", "kind: AlertPolicy", "slo.yml:2: kind: AlertPolicy is not honoured"),
        ("kind: SLO", "kind: Service", "holds no SLO"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_by_key(old: str, new: str, expected: str, tmp_path: Path) -> None:
    assert old in GOOD
    path = tmp_path / "slo.yml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(SpecError) as refusal:
        read_spec(path)
    assert expected in str(refusal.value)


def test_a_period_that_is_not_the_windows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "slo.yml"
    path.write_text(GOOD.replace("duration: 30d", "duration: 28d"))
    with pytest.raises(SpecError, match=r"timeWindow\[0\].duration: 28d is not the period of windows production"):
        render_slos(read_spec(path), load_windows("production"), "slo.yml")
    path.write_text(GOOD)
    assert render_slos(read_spec(path), load_windows("lab"), "slo.yml"), "30 days are 12 hours of lab time"


def test_the_operators_object_holds_the_same_rules(tmp_path: Path) -> None:
    path = tmp_path / "slo.yml"
    path.write_text(GOOD)
    slos = read_spec(path)
    wrapped = yaml.safe_load(rule_file(slos, load_windows("production"), "x", operator=metadata(slos)).text)
    assert (wrapped["kind"], wrapped["metadata"]["name"]) == ("PrometheusRule", "slo-shop-checkout")
    assert wrapped["spec"] == yaml.safe_load(render_slos(slos, load_windows("production"), "x"))
