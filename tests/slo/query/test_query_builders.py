"""The exact PromQL strings that the builders return; records store them."""

from __future__ import annotations

import pytest

from lab.slo.query.builders import mean, quantile, rate, ratio
from lab.slo.query.tree import parse


def test_a_rate_sums_all_series_of_a_counter_unless_it_is_grouped() -> None:
    assert rate("requests_total", "10s") == "sum(rate(requests_total[10s]))"
    assert rate("requests_total", "10s", 'job="feed"') == 'sum(rate(requests_total{job="feed"}[10s]))'
    assert rate("requests_total", "5m", by="route", offset="1m") == (
        "sum by (route) (rate(requests_total[5m] offset 1m))"
    )


def test_a_mean_is_the_sum_of_a_histogram_over_its_count() -> None:
    assert mean("wait_seconds", "15s", 'job="user"') == (
        'sum(rate(wait_seconds_sum{job="user"}[15s])) / sum(rate(wait_seconds_count{job="user"}[15s]))'
    )
    assert mean("wait_seconds", "5m", by="path", offset="1m") == (
        "sum by (path) (rate(wait_seconds_sum[5m] offset 1m)) / sum by (path) (rate(wait_seconds_count[5m] offset 1m))"
    )


def test_a_quantile_uses_the_buckets_of_a_histogram() -> None:
    assert quantile(0.95, "wait_seconds", "5s", 'job="feed"') == (
        'histogram_quantile(0.95, sum by (le) (rate(wait_seconds_bucket{job="feed"}[5s])))'
    )


def test_a_ratio_has_no_sample_where_its_denominator_is_zero() -> None:
    assert ratio(rate("hits_total", "5s"), rate("lookups_total", "5s")) == (
        "sum(rate(hits_total[5s])) / (sum(rate(lookups_total[5s])) > 0)"
    )


@pytest.mark.parametrize(
    "query",
    [
        ratio(rate("a_total", "5s", 'result="hit"'), rate("a_total", "5s")),
        mean("a_seconds", "5s", by="route"),
        quantile(0.99, "a_seconds", "5s", 'job="x",code=~"2.."'),
    ],
)
def test_built_queries_parse(query: str) -> None:
    parse(query)
