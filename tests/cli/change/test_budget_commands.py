"""`fleetops budget ledger` prints lines that sum; `budget status` says when a budget would be exhausted."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from lab.change import ask, spending
from lab.change.gate import Budget, Decision
from lab.change.ledger import Interval, Kind, Span, ledger
from lab.change.spending import Spending
from lab.cli import main
from lab.slo.model import Slo

T0 = 1_770_000_000.0
SPANS = [Span("INC-003", Kind.DRILL, T0, T0 + 10), Span("rollout of feed 1.1.0", Kind.ROLLOUT, T0 + 20, T0 + 30)]
SPENT = ledger(
    [
        Interval(T0 + 1, T0 + 2, Fraction(93)),
        Interval(T0 + 21, T0 + 22, Fraction(12)),
        Interval(T0 + 41, T0 + 42, Fraction(3)),
    ],
    SPANS,
    Fraction(299),
)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command in a lab that knows the budgets of the feed service only; returns what it printed."""

    def read(_clients: Any, slos: list[Slo], *_: Any) -> list[tuple[Slo, Spending | None]]:
        spent = [Spending(T0 + 60, 191 / 299, SPENT) if slo.service == "feed" else None for slo in slos]
        return list(zip(slos, spent, strict=True))

    monkeypatch.setattr("lab.cli.change.budget.clients", lambda: SimpleNamespace(home=None))
    monkeypatch.setattr(spending, "read", read)

    def printed(*arguments: str, status: int = 0) -> str:
        assert main.run(["budget", *arguments]) == status
        return "".join(capsys.readouterr())

    return printed


def test_the_lines_of_an_slo_say_what_spent_it_and_sum(run: Callable[..., str]) -> None:
    head, *lines = run("ledger", "--service", "feed").splitlines()
    assert head.split("  ")[0] == "SLO"
    mine = [line.split() for line in lines if line.startswith("feed-latency-p99 ")]
    assert [line[1] for line in mine] == ["INC-003", "rollout", "not", "left"]
    assert [line[-2:] for line in mine] == [["93", "31.1%"], ["12", "4.0%"], ["3", "1.0%"], ["-", "63.9%"]]
    assert sum(round(10 * float(line[-1].rstrip("%"))) for line in mine) == 1000
    assert "INC-003 spent more than 20% of feed-latency-p99: it needs a postmortem" in lines
    assert not any(line.startswith("user") for line in lines)


def test_a_budget_that_prometheus_does_not_know_is_unknown(run: Callable[..., str]) -> None:
    lines = run("ledger", "--service", "user").splitlines()[1:]
    assert {line.split()[1] for line in lines} == {"unknown"}
    assert json.loads(run("ledger", "--service", "user", "--json"))[0]["remaining_ratio"] is None


def test_the_json_has_shares_that_sum_to_what_was_spent(run: Callable[..., str]) -> None:
    found = next(row for row in json.loads(run("ledger", "--json")) if row["slo"] == "feed-availability")
    assert [(row["name"], row["kind"], row["needs_postmortem"]) for row in found["entries"]] == [
        ("INC-003", "drill", True),
        ("rollout of feed 1.1.0", "rollout", False),
    ]
    assert found["entries"][0]["since"] == "2026-02-02T02:40:00.000Z"
    spent = sum(row["budget_ratio"] for row in found["entries"]) + found["unattributed_budget_ratio"]
    assert spent == pytest.approx(1 - found["remaining_ratio"])


def test_an_unknown_service_is_refused_in_one_line(run: Callable[..., str]) -> None:
    assert run("ledger", "--service", "fed", status=2) == ("fleetops: 'fed' has no SLO; the services are feed, user\n")


@pytest.mark.parametrize(
    ("remaining", "burn", "shown", "seconds"),
    [(0.5, 14.4, "25 min", 1500.0), (0.5, 0.0, "-", None), (-0.1, 3.0, "exhausted", None)],
)
def test_status_says_when_the_budget_would_be_exhausted(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch, remaining: float, burn: float, shown: str, seconds: float
) -> None:
    budgets = [Budget("feed-latency-p99", remaining, burn, 6.0, 43200)]
    monkeypatch.setattr(ask, "with_budgets", lambda *_: (Decision("allow", "open", ""), budgets))
    monkeypatch.setattr(ask, "load", lambda _: ask.Memory())
    head, line, *_ = run("status").splitlines()
    assert "EXHAUSTED IN (LAB TIME)" in head
    assert line.endswith(f" {shown}")
    assert json.loads(run("status", "--json"))["budgets"][0]["exhausted_in_seconds"] == seconds


def test_status_shows_the_last_overrides_and_which_have_expired(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(reason: str, until: str) -> ask.Override:
        return ask.Override(service="feed", change="rollout", by="ada", reason=reason, at=until, until=until)

    old, new = made("it ends the outage", "2026-01-01T00:00:00.000Z"), made("again", "2999-01-01T00:00:00.000Z")
    monkeypatch.setattr(ask, "with_budgets", lambda *_: (Decision("allow", "open", ""), []))
    monkeypatch.setattr(ask, "load", lambda _: ask.Memory(overrides=[old, new]))
    assert run("status").splitlines()[-2:] == [
        "override for feed: rollout by ada until 2026-01-01T00:00:00.000Z (expired): it ends the outage",
        "override for feed: rollout by ada until 2999-01-01T00:00:00.000Z: again",
    ]
