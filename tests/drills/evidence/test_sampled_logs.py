"""The log lines of a record: of its telling and its normal trace, or else of a slow and a fast request."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from lab import names
from lab.drills.evidence import collect
from lab.paths import Home

AT = 1_796_000_000
SLOW, FAST, OTHER = "a" * 32, "b" * 32, "c" * 32


@pytest.fixture
def incident(tmp_path: Any) -> Any:
    """Three feed requests: each has a line of the gateway, and of the feed eight."""
    home = Home(tmp_path)
    home.logs.mkdir()
    gateway, feed = [], []
    for ident, second, seconds in ((SLOW, 5, 0.9), (FAST, 6, 0.02), (OTHER, 9, 0.01)):
        line = {"ts": f"2026-11-30T00:53:2{second}.000Z", "event": "request", "route": names.ROUTE_FEED, "status": 200}
        gateway.append(json.dumps({**line, "trace_id": ident, "service": "gateway", "duration_seconds": seconds}))
        feed += [json.dumps({"ts": line["ts"], "trace_id": ident, "service": "feed", "n": n}) for n in range(8)]
    (home.logs / "gateway.log").write_text("\n".join(gateway) + "\n")
    (home.logs / "feed-1.log").write_text("\n".join(feed) + "\n{torn\n")
    return SimpleNamespace(clients=SimpleNamespace(home=home), t0=AT, ended_at=AT + 10)


def traces_of(lines: list[Any]) -> list[str]:
    return list(dict.fromkeys(line["trace_id"] for line in lines))


def test_without_traces_the_lines_are_those_of_a_slow_request_and_a_fast_one_near_it(incident: Any) -> None:
    lines = collect.sampled_logs(incident, 0.4)
    assert traces_of(lines) == [SLOW, FAST]
    assert len(lines) == 2 * (1 + collect.SAMPLED_LINES)


def test_with_traces_the_lines_are_theirs(incident: Any) -> None:
    lines = collect.sampled_logs(incident, 0.4, [SLOW, OTHER])
    assert traces_of(lines) == [SLOW, OTHER]
    assert {line["service"] for line in lines} == {"gateway", "feed"}


def test_without_a_slow_request_there_are_no_lines(incident: Any) -> None:
    assert collect.sampled_logs(incident, 1.0) == []
