"""The generator's counters become SLO events: from the scheduled arrival, with everything that was not answered bad."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from lab import names
from lab.capacity.counters import Counters, quantile
from lab.errors import NotRunning
from lab.slo.catalogue import committed
from lab.traffic.generator import GeneratorMetrics

FEED, USER = names.ROUTE_FEED, names.ROUTE_USER


def reading(metrics: list[tuple[str, str, float]], dropped: int = 0) -> Counters:
    """Counters of completed requests, each (route, status, seconds), and of dropped feed requests."""
    registry = CollectorRegistry()
    made = GeneratorMetrics(registry)
    for route, status, seconds in metrics:
        made.offered.labels(route).inc()
        made.completed.labels(route, status).inc()
        made.durations.labels(route).observe(seconds)
        made.late.observe(0.0004)
    made.offered.labels(FEED).inc(dropped)
    made.dropped.labels(FEED).inc(dropped)
    return Counters.of_text(generate_latest(registry).decode())


NOTHING = reading([])


def test_whatever_was_not_answered_well_is_bad_for_availability() -> None:
    statuses = ["200", "204", "404", "429", "500", "503", "timeout", "error"]
    slos = reading([(FEED, status, 0.01) for status in statuses], dropped=3).since(NOTHING).slos(committed())
    assert (slos["feed-availability"].bad, slos["feed-availability"].total) == (6 + 3, 8 + 3)
    assert slos["user-availability"].total == 0


def test_a_request_is_late_beyond_its_threshold_and_so_is_a_dropped_one() -> None:
    slos = reading([(FEED, "200", 0.2), (FEED, "200", 0.201), (FEED, "200", 0.41)], dropped=1).slos(committed())
    assert (slos["feed-latency-p95"].bad, slos["feed-latency-p99"].bad) == (2 + 1, 1 + 1)
    assert slos["feed-latency-p99"].bad_ratio == 0.5


def test_only_what_came_since_the_earlier_reading_counts() -> None:
    before, after = reading([(USER, "200", 0.01)] * 5), reading([(USER, "200", 0.01)] * 7 + [(FEED, "200", 0.3)])
    between = after.since(before)
    assert (between.arrivals, between.good) == (3, 3)
    assert between.slos(committed())["user-availability"].total == 2
    assert between.mean_seconds == pytest.approx((2 * 0.01 + 0.3) / 3)


def test_a_restarted_generator_is_noticed() -> None:
    with pytest.raises(NotRunning, match="restarted"):
        reading([(USER, "200", 0.01)]).since(reading([(USER, "200", 0.01)] * 5))


def test_quantiles_are_interpolated_as_promql_does() -> None:
    buckets = [(0.1, 50.0), (0.2, 100.0), (float("inf"), 100.0)]
    assert quantile(0.5, buckets) == pytest.approx(0.1)
    assert quantile(0.75, buckets) == pytest.approx(0.15)
    assert quantile(0.99, [(0.1, 0.0), (float("inf"), 10.0)]) == 0.1
    assert quantile(0.99, []) == 0.0


def test_the_generators_own_lateness_is_read() -> None:
    assert 0 < reading([(USER, "200", 0.5)]).late_p99_seconds <= 0.0005
