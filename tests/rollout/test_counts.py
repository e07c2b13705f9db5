"""The gateway's counters as the judge's intervals."""

from __future__ import annotations

from typing import cast

import pytest

from lab.clients.prometheus import Prometheus, Series
from lab.rollout.counts import METRICS, CountersReset, Totals, intervals, read
from lab.rollout.evidence import Arm, Interval, Pair

SLO = "feed-availability"


def scrape(canary: tuple[int, int, int, int], stable: tuple[int, int, int, int]) -> dict[tuple[str, str], Totals]:
    """(requests, bad requests, clients, affected clients) of both versions."""
    return {(SLO, "canary"): Totals(*canary), (SLO, "stable"): Totals(*stable)}


def test_the_increments_between_scrapes_are_intervals_and_the_first_counts_from_zero() -> None:
    scrapes = [
        scrape((2, 1, 2, 1), (38, 0, 30, 0)),
        scrape((2, 1, 2, 1), (38, 0, 30, 0)),
        scrape((5, 3, 4, 2), (70, 2, 50, 1)),
    ]
    assert intervals(scrapes, [SLO]) == {
        SLO: [
            Interval(Pair(Arm(2, 1), Arm(38, 0)), Pair(Arm(2, 1), Arm(30, 0))),
            # Of the four clients of the canary, one was affected before: three were at risk.
            Interval(Pair(Arm(3, 2), Arm(32, 2)), Pair(Arm(3, 1), Arm(50, 1))),
        ]
    }


def test_a_counter_that_falls_is_a_restart_of_the_gateway() -> None:
    with pytest.raises(CountersReset, match="fell from 40 to 3 requests"):
        intervals([scrape((40, 0, 9, 0), (400, 0, 90, 0)), scrape((3, 0, 3, 0), (30, 0, 20, 0))], [SLO])


def test_without_scrapes_there_are_no_intervals() -> None:
    assert intervals([], [SLO]) == {SLO: []}


class Answers:
    """A Prometheus with one series per metric and version, as (second, value)."""

    def __init__(self, missing: str = "") -> None:
        self.missing, self.asked = missing, list[tuple[str, float, float]]()

    def range(self, query: str, start: float, end: float, step_seconds: float) -> list[Series]:
        self.asked.append((query, end - start, step_seconds))
        points = [(10.0, 4.0), (11.0, 8.0)]
        return [
            Series({"__name__": metric, "slo": SLO, "arm": arm}, points[:1] if metric == self.missing else points)
            for metric in METRICS
            for arm in ("canary", "stable")
        ]


def test_scrapes_are_read_by_step_and_only_where_they_are_complete() -> None:
    prometheus = Answers(missing=METRICS[3])
    (only,) = read(cast(Prometheus, prometheus), "feed-1/1.0", 10, 11)
    assert only == {(SLO, "canary"): Totals(4, 4, 4, 4), (SLO, "stable"): Totals(4, 4, 4, 4)}
    (query, length, step), *more = prometheus.asked
    assert (query.endswith(',step="feed-1/1.0"}'), length, step, more) == (True, 1, 1.0, [])


def test_a_long_step_is_read_at_fewer_points() -> None:
    prometheus = Answers()
    read(cast(Prometheus, prometheus), "feed-1/1.0", 0, 7200)
    assert prometheus.asked[0][2] == 3
