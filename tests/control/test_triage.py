"""Triage distinguishes causes by the signals that only they change."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lab.clients.prometheus import Prometheus, Sample
from lab.control.triage import CAUSES, investigate, judge
from lab.errors import UsageError


class Answers(Prometheus):
    """A Prometheus that answers with the first pattern that matches the query, and an empty result otherwise."""

    def __init__(self, *answers: tuple[str, Any]) -> None:
        super().__init__("http://127.0.0.1:9")
        self.answers = answers

    def instant(self, query: str, at: float | None = None) -> list[Sample]:  # noqa: ARG002 -- the same at every time
        for pattern, answer in self.answers:
            if re.search(pattern, query):
                return (
                    [Sample(labels, value) for labels, value in answer]
                    if isinstance(answer, list)
                    else [Sample({}, answer)]
                )
        return []


CANARY_SHARE = r"^sum\(rate\(\w+_count\{.*instance=~\"feed-c"
CANARY_MEAN = r"_sum\{.*instance=~\"feed-c"
STABLE_MEAN = r"_sum\{.*instance=~\"feed-\["


def test_a_canary_much_slower_than_stable_is_implicated_with_both_times() -> None:
    prometheus = Answers(
        (r"5\.\.", []),
        ("gateway_canary_weight_ratio", 0.5),
        (CANARY_MEAN, 0.6),
        (STABLE_MEAN, 0.012),
        (CANARY_SHARE, 0.48),
    )
    suspect = judge(prometheus, "feed", "canary")
    assert suspect.implicated
    for part in ("weight 50%", "48%", "600.0 ms", "12.0 ms", "50.0x"):
        assert part in suspect.evidence


def test_a_canary_as_fast_as_stable_is_clear() -> None:
    prometheus = Answers(
        (r"5\.\.", []), ("weight", 0.5), (CANARY_MEAN, 0.013), (STABLE_MEAN, 0.012), (CANARY_SHARE, 0.5)
    )
    suspect = judge(prometheus, "feed", "canary")
    assert not suspect.implicated
    assert "1.1x" in suspect.evidence


def test_a_canary_without_traffic_is_clear_however_slow_it_was() -> None:
    assert not judge(Answers((CANARY_MEAN, 9.0), (STABLE_MEAN, 0.01)), "feed", "canary").implicated


def test_the_cache_is_judged_by_the_hit_ratio_of_all_versions() -> None:
    prometheus = Answers(('cache="feed",result="hit"', 0.5))
    assert judge(prometheus, "feed", "cache").implicated
    assert not judge(Answers(("cache", 0.95)), "feed", "cache").implicated


def test_the_database_is_implicated_when_single_operations_take_longer_than_before() -> None:
    def db(now: float, before: float) -> Answers:
        operation = {"db_operation_name": "feed.rank"}
        return Answers((r"\[5m\] offset 1m", [(operation, before)]), (r"\[15s\]", [(operation, now)]))

    assert judge(db(0.5, 0.05), "feed", "database").implicated
    assert not judge(db(0.06, 0.05), "feed", "database").implicated
    assert not judge(db(0.009, 0.001), "feed", "database").implicated, "too fast to matter, whatever the baseline"


def test_a_replica_that_is_down_is_named() -> None:
    prometheus = Answers((r"up\{.*\} == 0", [({"instance": "feed-2"}, 0.0)]), ("count", 2.0))
    suspect = judge(prometheus, "feed", "replica-down")
    assert suspect.implicated
    assert "feed-2" in suspect.evidence


def test_suspects_are_ordered_by_strength() -> None:
    prometheus = Answers((r"up\{.*\} == 0", [({"instance": "feed-2"}, 0.0)]), (r"count\(up", 2.0))
    suspects = investigate(prometheus, "feed")
    assert suspects[0].cause == "replica-down"
    assert len(suspects) == len(CAUSES["feed"])


@pytest.mark.parametrize(
    ("service", "cause", "message"), [("feed", "gremlins", "canary"), ("mail", "cache", "gateway")]
)
def test_an_unknown_cause_or_service_is_refused_with_the_known_ones(service: str, cause: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        judge(Answers(), service, cause)


def test_a_client_is_implicated_by_its_share_of_all_requests() -> None:
    def rates(greedy: float, total: float) -> Answers:
        return Answers(("topk", [({"client": "greedy"}, greedy)]), ("^sum", total))

    suspect = judge(rates(200, 280), "gateway", "client")
    assert suspect.implicated
    assert "greedy sends 200 requests/s, 71% of all" in suspect.evidence
    assert not judge(rates(12, 280), "gateway", "client").implicated
    assert not judge(Answers(("^sum", 280)), "gateway", "client").implicated


def test_retries_are_implicated_by_their_ratio_to_first_attempts() -> None:
    def ratio(value: float) -> Answers:
        return Answers(("http_client_retries_total", [({"upstream": "feed"}, value)]))

    suspect = judge(ratio(2.0), "gateway", "retries")
    assert suspect.implicated
    assert "feed: 2.0 retries per first attempt" in suspect.evidence
    assert not judge(ratio(0.1), "gateway", "retries").implicated
    assert not judge(Answers(), "gateway", "retries").implicated


def test_anonymous_clients_are_implicated_by_a_large_and_sudden_share() -> None:
    def rates(anonymous: float, total: float) -> Answers:
        return Answers(('priority="guest"', anonymous), ("offset 1m", 80), ("^sum", total))

    suspect = judge(rates(160, 240), "gateway", "guests")
    assert suspect.implicated
    assert suspect.evidence == "160 of 240 requests/s are anonymous; 80/s before"
    assert not judge(rates(10, 130), "gateway", "guests").implicated, "a small share"
    assert not judge(rates(60, 100), "gateway", "guests").implicated, "no growth"
    assert not judge(Answers(), "gateway", "guests").implicated
