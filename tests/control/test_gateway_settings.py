"""Gateway settings through the CLI: the change, its audit row and the printed result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import valkey
from fakes import FakeGateway, FakePager, JsonServer

from lab import names
from lab.cli import limits, main
from lab.clients.prometheus import Prometheus
from lab.control import cache_stats, cache_warmup, gateway_settings
from lab.control.lab_clients import LabClients
from lab.errors import LabError, NotRunning, UsageError
from lab.paths import Home, Ports
from lab.stack.programs import Program


@pytest.fixture
def fleetops(clients: LabClients, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `fleetops` with the test's lab clients; returns (exit status, output)."""
    monkeypatch.setattr(limits, "clients", lambda: clients)
    monkeypatch.setattr("lab.cli.cache.clients", lambda: clients)

    def run(command: str) -> tuple[int, str]:
        status = main.run(command.split())
        return status, "".join(capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("command", "part", "new", "printed"),
    [
        ("ratelimit set --client-per-second 5", "ratelimit", {"client_per_second": 5, "client_burst": 100}, "50 → 5"),
        ("shed set --max-inflight 60 --guest-ratio 0", "shed", {"max_inflight": 60, "guest_ratio": 0}, "160 → 60"),
        (
            "retry set --budget-ratio 0.1 --on timeout,unreachable",
            "retry",
            {"max_retries": 1, "budget_ratio": 0.1, "on": ["timeout", "unreachable"]},
            "5 → 0.1",
        ),
        (
            "breaker set user open",
            "breakers",
            {"user": "open", "feed": "off", "feed-canary": "off"},
            "user off → open",
        ),
        ("timeout set feed 1.5", "timeouts", {"user": 1, "feed": 1.5, "feed-canary": 3}, "feed 3 → 1.5"),
        ("cache ttl 600", "cache", {"feed_ttl_seconds": 600}, "300 s → 600 s"),
    ],
)
def test_a_changed_setting_is_printed_and_audited_with_old_and_new_value(
    fleetops: Any, gateway: FakeGateway, pager: FakePager, command: str, part: str, new: dict[str, Any], printed: str
) -> None:
    before = gateway.state[part]
    status, output = fleetops(f"{command} --reason drill")
    assert status == 0, output
    assert printed in output
    assert gateway.state[part] == new
    (row,) = pager.rows.values()
    assert (row["action"], row["outcome"], row["reason"]) == (f"{part} set", "done", "drill")
    assert row["old"] == {name: before[name] for name in row["new"]}
    assert row["new"] == {name: new[name] for name in row["new"]}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("breaker set db open", "'db'"),
        ("breaker set user ajar", "ajar"),
        ("retry set", "nothing to set"),
        ("ratelimit set --client-per-second many", "many"),
        ("cache warm --viewers 0", "viewers"),
    ],
)
def test_an_invalid_request_is_one_line_and_status_2_without_an_audit_row(
    fleetops: Any, pager: FakePager, command: str, message: str
) -> None:
    status, output = fleetops(command)
    assert (status, output.count("\n")) == (2, 1)
    assert message in output
    assert pager.rows == {}


def test_a_value_that_the_gateway_refuses_is_reported_and_audited_as_failed(
    clients: LabClients, servers: dict[str, JsonServer], pager: FakePager
) -> None:
    servers["gateway"].answer = lambda method, *_: (
        (200, FakeGateway().state)
        if method == "GET"
        else (400, {"error": "guest_ratio: 7 is not a number from 0 to 1"})
    )
    with pytest.raises(UsageError, match="from 0 to 1"):
        gateway_settings.change(clients, gateway_settings.SHED, {"guest_ratio": 7})
    (row,) = pager.rows.values()
    assert row["outcome"] == "failed"


def test_every_part_can_be_shown(fleetops: Any) -> None:
    for verb in ("ratelimit", "shed", "retry", "timeout", "breaker"):
        status, output = fleetops(f"{verb} show")
        assert status == 0
        assert len(output.splitlines()) >= 2


class Feed:
    """A feed replica with popular viewers, and some feeds that fail."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.requested: list[str] = []

    def __call__(self, _method: str, path: str, _body: Any) -> tuple[int, Any]:
        if path == "/admin/popular":
            return 200, {"viewers": [{"id": 7, "requests": 5}, {"id": 8, "requests": 9}, {"id": 9, "requests": 1}]}
        self.requested.append(path)
        return (503, {"error": "the database failed"}) if path in self.broken else (200, {})


@pytest.fixture
def feed(clients: LabClients, monkeypatch: pytest.MonkeyPatch) -> Any:
    replica = Feed()
    server = JsonServer(replica)
    port = int(server.url.rpartition(":")[2])
    program = Program("feed-1", "feed", "services", (), (port,), "", metrics_port=port)
    monkeypatch.setattr("lab.stack.replicas.instances", lambda *_: [program])
    Home(clients.home.path).token.write_text("a-token-of-some-length")
    yield replica
    server.close()


def test_a_warm_up_requests_the_most_popular_feeds_first(clients: LabClients, feed: Feed, pager: FakePager) -> None:
    done = cache_warmup.warm(clients, viewers=2, at_once=1)
    assert feed.requested == ["/v1/feed/8", "/v1/feed/7"]
    assert (done.pages, done.failed) == (2, 0)
    (row,) = pager.rows.values()
    assert (row["action"], row["new"], row["outcome"]) == ("cache warm", {"pages": 2, "failed": 0}, "done")


def test_a_failed_feed_does_not_stop_the_warm_up(clients: LabClients, feed: Feed) -> None:
    feed.broken = {"/v1/feed/8"}
    done = cache_warmup.warm(clients, at_once=2)
    assert (done.pages, done.failed) == (2, 1)


def test_a_warm_up_without_any_success_fails(clients: LabClients, feed: Feed) -> None:
    feed.broken = {f"/v1/feed/{viewer}" for viewer in (7, 8, 9)}
    with pytest.raises(LabError, match="all 3 feed requests failed"):
        cache_warmup.warm(clients)


def test_a_warm_up_without_a_feed_replica_reports_that_it_is_not_running(
    clients: LabClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program("feed-1", "feed", "services", (), (9,), "", metrics_port=9)
    monkeypatch.setattr("lab.stack.replicas.instances", lambda *_: [program])
    Home(clients.home.path).token.write_text("a-token-of-some-length")
    with pytest.raises(NotRunning, match="feed-1"):
        cache_warmup.warm(clients)


class Half(Prometheus):
    """Answers 0.5 to every query, except for a metric without samples."""

    def number(self, query: str, _at: float | None = None) -> float | None:
        return None if names.CACHE_REFRESHES in query else 0.5


def test_cache_stats_combine_the_cache_server_and_prometheus(clients: LabClients, valkey_url: str) -> None:
    port = int(valkey_url.rpartition(":")[2].partition("/")[0])
    lab = replace(clients, ports=Ports(port - 95), prometheus=Half("http://127.0.0.1:9"))
    with valkey.Valkey.from_url(valkey_url) as cache:
        cache.set("stats-test", "x")
        entries = cache.dbsize()
    stats = cache_stats.read(lab)
    assert stats["entries"] == entries >= 1
    assert (stats["memory_bytes"] or 0) > 0
    assert (stats["feed_hit_ratio"], stats["user_stale_ratio"], stats["feed_db_rankings_per_second"]) == (0.5, 0.5, 0.5)
    assert stats["feed_refreshes_per_second"] is None


def test_an_unreachable_cache_is_a_clear_error(clients: LabClients) -> None:
    with pytest.raises(NotRunning, match=r"the cache does not answer.*fleetops status"):
        cache_stats.read(replace(clients, ports=Ports(1024)))
