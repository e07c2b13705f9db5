"""Which traces a record keeps."""

from __future__ import annotations

from lab.drills.evidence.exemplary import choose
from lab.drills.schema.record import NORMAL, TELLING, WORST
from lab.slo.catalogue import find_slo
from lab.tracing.documents import Summary

T0 = 1000.0
LATENCY, AVAILABILITY = find_slo("feed-latency-p99"), find_slo("feed-availability")


def line(ident: str, at: float, seconds: float, status: int = 200, reason: str = "slow") -> Summary:
    return Summary(ident, T0 + at, seconds, "GET /v1/feed/{user_id}", status, reason, 10)


NORMALS = [line(f"n{number}", -5 - number, 0.01 * number, reason="baseline") for number in range(1, 6)]


def test_a_latency_incident_keeps_its_median_slow_request_the_slowest_and_a_normal_one() -> None:
    slow = [line(f"s{number}", number, 0.4 + 0.1 * number) for number in range(1, 6)]
    others = [line("fast", 1, 0.39), line("failed", 2, 9.0, 504, "failed"), line("before", -1, 2.0)]
    assert choose(LATENCY, [*NORMALS, *slow, *others], T0) == {TELLING: "s3", WORST: "s5", NORMAL: "n3"}


def test_an_availability_incident_keeps_failed_requests() -> None:
    failed = [line(f"f{number}", number, 0.1 * number, 503, "failed") for number in range(1, 4)]
    kept = [*NORMALS, *failed, line("slow", 1, 5.0)]
    assert choose(AVAILABILITY, kept, T0) == {TELLING: "f2", WORST: "f3", NORMAL: "n3"}


def test_what_is_missing_has_no_role() -> None:
    assert choose(LATENCY, [line("only", 1, 2.0)], T0) == {TELLING: "only"}
    assert choose(LATENCY, NORMALS, T0) == {NORMAL: "n3"}
    assert choose(LATENCY, [], T0) == {}


def test_a_normal_request_is_one_of_the_sample_that_succeeded_before_the_fault() -> None:
    odd = [line("404", -2, 0.1, 404, "baseline"), line("late", 2, 0.1, 200, "baseline"), line("slow", -2, 0.3)]
    assert choose(LATENCY, odd, T0) == {}
