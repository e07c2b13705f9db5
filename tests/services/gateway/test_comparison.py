"""The comparison of two versions: it counts what the SLOs count, for the version that answered, by client."""

from __future__ import annotations

from typing import Any

import pytest
from gateway_support import Gateway, a_gateway

from lab import names
from lab.services.gateway import comparison
from lab.services.gateway.canary_split import to_canary
from lab.services.gateway.comparison import Comparison, Events, Matcher, Step, Target

gateway = a_gateway
ROUTE = ["http_route", "=", "/v1/feed/{user_id}"]
STATUS = "http_response_status_code"
SLOS = {
    "availability": {"total": [ROUTE], "bad": [ROUTE, [STATUS, "=~", "5.."]], "above_seconds": None},
    "latency": {"total": [ROUTE, [STATUS, "=~", "2.."]], "bad": [ROUTE, [STATUS, "=~", "2.."]], "above_seconds": 0.4},
}
METRICS = (
    names.COMPARISON_REQUESTS,
    names.COMPARISON_BAD_REQUESTS,
    names.COMPARISON_CLIENTS,
    names.COMPARISON_AFFECTED_CLIENTS,
)


def counts(gateway: Gateway, slo: str, arm: str, step: str = "one") -> list[float | None]:
    """(requests, bad requests, clients, affected clients)"""
    return [gateway.metric(metric, step=step, slo=slo, arm=arm) for metric in METRICS]


def ask(gateway: Gateway, *clients: str, path: str = "/v1/feed/1") -> None:
    for client in clients:
        gateway.client.get(path, headers={names.HEADER_CLIENT_ID: client})


def of_arm(canary: bool, number: int) -> list[str]:
    """The first clients that a weight of 50 % sends to the canary, or to stable."""
    everybody = (f"client-{index}" for index in range(1000))
    return [client for client in everybody if to_canary(client, 50) == canary][:number]


def test_requests_and_clients_are_counted_for_the_version_that_answered(gateway: Gateway) -> None:
    gateway.control("canary", {"weight_percent": 50})
    gateway.control("comparison", {"step": "one", "slos": SLOS})
    canary, stable = of_arm(True, 3), of_arm(False, 5)
    gateway.canary.answer = lambda: ("{}", 500)
    ask(gateway, *canary[:2], canary[0])
    gateway.canary.answer = lambda: ("{}", 200)
    ask(gateway, canary[0], canary[2], *stable, *stable)
    assert counts(gateway, "availability", "canary") == [5, 3, 3, 2]
    assert counts(gateway, "availability", "stable") == [10, 0, 5, 0]
    assert counts(gateway, "latency", "canary") == [2, 0, 2, 0]


USER = ["http_route", "=", "/v1/users/{user_id}"]
USER_SLO = {"slo": {"total": [USER], "bad": [USER, [STATUS, "=~", "5.."]], "above_seconds": None}}


def test_a_replica_is_compared_with_the_others_of_its_upstream_by_requests(gateway: Gateway) -> None:
    replica, other = gateway.canary, gateway.user
    gateway.control("upstreams/user", {"urls": [replica.url, other.url]})
    target = {"upstream": "user", "url": replica.url}
    gateway.control("comparison", {"step": "one", "slos": USER_SLO, "replica": target})
    replica.answer = lambda: ("{}", 500)
    for _ in range(4):
        ask(gateway, "client-1", path="/v1/users/1")
    ask(gateway, "client-1")
    assert counts(gateway, "slo", "canary") == [2, 2, 2, 2], "one client, and each request counts for itself"
    assert counts(gateway, "slo", "stable") == [2, 0, 2, 0]
    assert gateway.state()["comparison"]["replica"] == target


def test_a_request_that_is_retried_counts_for_the_replica_that_was_asked_first(gateway: Gateway) -> None:
    dead = "http://127.0.0.1:1"
    gateway.control("upstreams/user", {"urls": [dead, gateway.user.url]})
    gateway.control("comparison", {"step": "one", "slos": USER_SLO, "replica": {"upstream": "user", "url": dead}})
    ask(gateway, "client-1", path="/v1/users/1")
    ask(gateway, "client-1", path="/v1/users/1")
    assert counts(gateway, "slo", "canary")[:2] == [1, 0], "the other replica answered it"
    assert counts(gateway, "slo", "stable")[:2] == [1, 0]


def test_a_request_that_a_replica_does_not_answer_counts_for_that_replica(gateway: Gateway) -> None:
    dead = "http://127.0.0.1:1"
    gateway.control("upstreams/user", {"urls": [dead]})
    gateway.control("comparison", {"step": "one", "slos": USER_SLO, "replica": {"upstream": "user", "url": dead}})
    ask(gateway, "client-1", path="/v1/users/1")
    assert counts(gateway, "slo", "canary") == [1, 1, 1, 1]


def test_other_routes_and_refused_requests_are_in_no_count(gateway: Gateway) -> None:
    gateway.control("comparison", {"step": "one", "slos": SLOS})
    ask(gateway, "client-1", path="/v1/users/1")
    gateway.control("shed", {"max_inflight": 1, "guest_ratio": 0})
    gateway.client.get("/v1/feed/1")
    assert counts(gateway, "availability", "stable") == [0, 0, 0, 0]


def test_a_new_step_counts_from_zero_and_the_same_one_goes_on(gateway: Gateway) -> None:
    gateway.control("comparison", {"step": "one", "slos": SLOS})
    ask(gateway, "client-1")
    gateway.control("comparison", {"step": "one", "slos": SLOS})
    assert counts(gateway, "availability", "stable") == [1, 0, 1, 0]
    gateway.control("comparison", {"step": "two", "slos": SLOS})
    assert counts(gateway, "availability", "stable") == [None] * 4
    assert counts(gateway, "availability", "stable", "two") == [0, 0, 0, 0]
    gateway.control("comparison", {"step": "", "slos": {}})
    ask(gateway, "client-1")
    assert counts(gateway, "availability", "stable", "two") == [None] * 4


@pytest.mark.parametrize(
    ("labels", "seconds", "expected"),
    [
        ({STATUS: "200"}, 0.4, (True, False)),  # the edge of a bucket belongs to it
        ({STATUS: "200"}, 0.401, (True, True)),
        ({STATUS: "500"}, 9.0, (False, False)),
        ({}, 9.0, (False, False)),
    ],
)
def test_an_event_is_what_the_histogram_would_count(
    labels: dict[str, str], seconds: float, expected: tuple[bool, bool]
) -> None:
    success = (Matcher(STATUS, "=~", "2.."),)
    assert Events(success, success, 0.4).of(labels, seconds) == expected


@pytest.mark.parametrize(
    ("matcher", "matches"),
    [
        (Matcher("a", "=", "x.z"), [False, False, True]),
        (Matcher("a", "!=", "xyz"), [False, True, True]),
        (Matcher("a", "=~", "x.z"), [True, False, True]),
        (Matcher("a", "!~", "x.z|"), [False, False, False]),
    ],
)
def test_matchers_match_as_in_promql(matcher: Matcher, matches: list[bool]) -> None:
    assert [matcher.matches(labels) for labels in ({"a": "xyz"}, {}, {"a": "x.z"})] == matches


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"slos": {}}, "step: None must be a string"),
        ({"step": "s" * 101}, "step: "),
        ({"step": "s", "slos": []}, "slos: must be an object"),
        ({"step": "s", "slos": {"a": []}}, "slos.a: must be an object with total, bad and above_seconds"),
        ({"step": "s", "slos": {"a": {"total": []}}}, "slos.a.bad: must be a list"),
        ({"step": "s", "slos": {"a": {"total": [], "bad": [["x", "=="]]}}}, "slos.a.bad: ['x', '=='] must be"),
        ({"step": "s", "slos": {"a": {"total": [], "bad": [["x", "==", "y"]]}}}, "slos.a.bad: '==' is not an operator"),
        ({"step": "s", "slos": {"a": {"total": [["x", "=~", "("]], "bad": []}}}, "slos.a.total: '(' is not a regular"),
        ({"step": "s", "slos": {"a": {"total": [], "bad": [], "above_seconds": 0}}}, "slos.a.above_seconds: 0 must be"),
        (
            {"step": "s", "slos": {"a": {"total": [], "bad": [], "above_seconds": True}}},
            "slos.a.above_seconds: True must be",
        ),
        ({"step": "s", "replica": {"upstream": "user"}}, "replica: must be null or an object with upstream and url"),
        ({"step": "s", "replica": {"upstream": "user", "url": 1}}, "replica.url: 1 must be a string"),
        ({"step": "s", "more": 1}, "unknown key 'more'"),
    ],
)
def test_an_invalid_step_is_refused_by_key_and_nothing_changes(
    gateway: Gateway, body: dict[str, Any], why: str
) -> None:
    before = gateway.state()
    assert gateway.control("comparison", body, status=400)["error"].startswith(why)
    assert gateway.state() == before


def test_clients_beyond_the_bound_are_in_no_count_of_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "MAX_CLIENTS", 3)
    counting = Comparison()
    counting.use(Step("one", {"slo": Events((), ())}))
    for number in range(5):
        counting.observe(Target(names.UPSTREAM_FEED), f"client-{number}", {}, 0.1)
    sums = {family.name: sum(sample.value for sample in family.samples) for family in counting.collect()}
    assert [sums[metric.removesuffix("_total")] for metric in METRICS] == [5, 5, 3, 3]


def test_a_salt_moves_other_clients_first_and_the_split_is_as_large(gateway: Gateway) -> None:
    clients = [f"client-{number}" for number in range(2000)]
    plain, salted = ({c for c in clients if to_canary(c, 25, salt)} for salt in ("", "rollout-1"))
    assert plain != salted
    assert abs(len(salted) / len(clients) - 0.25) < 0.04
    gateway.control("canary", {"salt": "rollout-1"})
    gateway.control("canary", {"weight_percent": 25})
    assert gateway.state()["canary"] == {"weight_percent": 25, "salt": "rollout-1"}
    assert gateway.control("canary", {"salt": "x" * 65}, status=400)["error"].startswith("salt: ")
