"""Each fault against the real thing: it is there, and its undo, by another process, leaves nothing of it.

It runs after the drill in test_incident_live.py (files go by name): a drill waits until a minute is good again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from embedded import EmbeddedLab
from polling import eventually

from lab.control import cache_access
from lab.control.lab_clients import LabClients
from lab.drills.faults import FaultContext, of_json
from lab.drills.undo.journal import exclusive, undoing
from lab.stack.backends import postgres
from lab.stack.backends.valkey import JOB_USER

# The first test of a lab waits for its start too, which has a deadline of its own: a slow machine's start is no hang.
pytestmark = [pytest.mark.stack, pytest.mark.timeout(240, func_only=True)]


@pytest.fixture
def context(lab: EmbeddedLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultContext]:
    monkeypatch.setenv("FLEETOPS_HOME", str(lab.home.path))
    monkeypatch.setenv("FLEETOPS_PORT_BASE", str(lab.ports.base))
    opened = FaultContext(LabClients.here("test"))
    yield opened
    opened.close()


@contextmanager
def broken(context: FaultContext, kind: str, **parameters: Any) -> Iterator[Callable[[], list[str]]]:
    """Injects; gives the undo as somebody else would call it: from the parameters and what was captured, twice."""
    fault = of_json({"kind": kind, **parameters}, "test")
    captured = fault.capture(context)
    others = FaultContext(context.clients)

    def undo() -> list[str]:
        return of_json({"kind": kind, **parameters}, "test").undo(others, captured)

    try:
        fault.inject(context)
        yield undo
    finally:
        context.close()
        undo()


def test_a_frozen_service_is_thawed(context: FaultContext) -> None:
    with broken(context, "process-signal", process="user", signal="STOP") as undo:
        # The kernel stops each thread when it is that thread's turn.
        assert eventually(lambda: {context.states()[name] for name in ("user-1", "user-2")} == {"frozen"})
        assert undo() == ["user-1 resumed", "user-2 resumed"]
        assert undo() == []


def test_a_killed_process_stays_down_until_it_is_undone(context: FaultContext) -> None:
    with broken(context, "process-signal", process="feed-2", signal="KILL", stays_down=True) as undo:
        assert context.states()["feed-2"] == "stopped"
        assert undo() == ["feed-2 started again (it was stopped)"]
        assert eventually(lambda: context.states()["feed-2"] == "running", 60)
        assert undo() == []


def test_a_killed_process_comes_back_by_itself_when_its_machine_is_there(
    context: FaultContext, lab: EmbeddedLab
) -> None:
    before = lab.processes()["console"].pid
    with broken(context, "process-signal", process="console", signal="KILL"):
        assert eventually(lambda: lab.processes()["console"].pid not in (None, before), 60)


def test_a_longer_line_is_as_short_as_before(context: FaultContext) -> None:
    link = context.link("link-db")
    with broken(context, "link-latency", link="link-db", extra_delay_seconds=0.25) as undo:
        assert link.extra_delay_seconds() == 0.25
        assert undo() == ["link-db: extra delay 0.25 s → 0 s"]
        assert link.extra_delay_seconds() == 0
        assert undo() == []


def test_clients_ask_for_more_and_one_of_them_for_too_much(context: FaultContext) -> None:
    usual = context.traffic.rate()
    with broken(context, "load-multiplier", multiplier=1.5) as fewer:
        assert context.traffic.rate() == 1.5 * usual
        with broken(context, "abusive-client", client_id="client-007", requests_per_second=20) as gone:
            assert context.traffic.extra() == {"client_id": "client-007", "rate": 20, "people": 0, "ramp_seconds": 0}
            assert gone() == ["client-007 stopped sending requests"]
            assert gone() == []
        fewer()
        assert context.traffic.rate() == usual


def test_a_crowd_of_guests_comes_and_goes(context: FaultContext) -> None:
    with broken(context, "flash-crowd", people=5, requests_per_second=20) as undo:
        guests = 'sum(rate(gateway_priority_requests_total{priority="guest"}[5s])) > 5'
        assert context.clients.prometheus.wait(guests, 60)
        assert undo() == ["the flash crowd stopped sending requests"]
        assert undo() == []


def test_a_line_that_stalls_is_as_short_as_before_without_an_undo(context: FaultContext) -> None:
    link = context.link("link-db")
    with broken(context, "link-stall", link="link-db", extra_delay_seconds=0.25, lasts_seconds=0.5) as undo:
        assert link.extra_delay_seconds() == 0
        link.set_extra_delay(0.25)  # as a runner that was killed meanwhile leaves it
        assert undo() == ["link-db: extra delay 0.25 s → 0 s"]


@pytest.mark.parametrize("end", ["undone", "killed"])
def test_a_replica_behind_a_longer_line_is_slow_for_the_gateway_and_straight_again_afterwards(
    context: FaultContext, end: str
) -> None:
    """Also when the proxy dies with its runner: until somebody undoes it, the other replica serves.

    The gateway's own way tells at once; what its clients feel, a mean of 15 s, is waited for once, while it lasts.
    """
    far = 'gateway:upstream_network:seconds_mean15s{instance="feed-1"} > 0.2'
    straight = context.clients.gateway.state().upstreams["feed"]
    with broken(context, "network-detour", replica="feed-1", extra_delay_seconds=0.5) as undo:
        assert context.clients.gateway.state().upstreams["feed"] != straight
        if end == "killed":
            assert context.clients.prometheus.wait(far, 60)
            context.helpers[0].process.kill()
        assert undo() == ["the gateway connects to feed-1 directly again"]
        assert undo() == []
    assert context.clients.gateway.state().upstreams["feed"] == straight


def test_a_change_by_verb_is_put_back_by_the_journal(context: FaultContext) -> None:
    before = context.clients.gateway.state().ratelimit
    change = of_json({"kind": "control-change", "commands": ["fleetops ratelimit set --client-burst 77"]}, "test")
    with exclusive(context.home), undoing(context.clients, "test", [change]):
        change.inject(context)
        assert context.clients.gateway.state().ratelimit.client_burst == 77
    assert context.clients.gateway.state().ratelimit == before


def test_a_flush_empties_the_cache(context: FaultContext) -> None:
    with context.cache() as cache:
        cache.set("fault-test", "here")
        with broken(context, "cache-flush"):
            assert cache.get("fault-test") is None


def test_a_job_that_flushes_again_and_again_is_stopped_by_a_denial_and_ends_with_its_fault(
    context: FaultContext,
) -> None:
    with context.cache() as cache:
        with broken(context, "cache-flush", times=0, every_seconds=0.2) as undo:
            for _ in range(2):
                cache.set("fault-test", "here")
                assert eventually(lambda: not cache.exists("fault-test"), 10)
            cache_access.allow(context.clients, JOB_USER, "flushall", allowed=False)

            def refused() -> int:
                return int(cache.info("commandstats")["cmdstat_flushall"]["rejected_calls"])

            before = refused()
            cache.set("fault-test", "here")
            assert eventually(lambda: refused() > before + 2, 10)
            assert cache.get("fault-test") == b"here"
            child = context.helpers[0].process
            assert undo() == ["housekeeping may flush the cache, as before"]
            assert undo() == []
        assert child.poll() is not None


def test_statements_are_applied_and_reverted(context: FaultContext) -> None:
    apply, revert = "CREATE TABLE IF NOT EXISTS fault_test (n int)", "DROP TABLE IF EXISTS fault_test"

    def there() -> bool:
        with context.db() as connection:
            return bool(connection.execute("SELECT to_regclass('fault_test') IS NOT NULL").fetchall()[0][0])

    with broken(context, "sql-statements", apply=[apply], revert=[revert]) as undo:
        assert there()
        undo()
        assert not there()


def sessions(context: FaultContext) -> list[str]:
    query = "SELECT state FROM pg_stat_activity WHERE application_name = 'fault-test' ORDER BY 1"
    with context.db(superuser=True) as connection:
        return [row[0] for row in connection.execute(query).fetchall()]


@pytest.mark.parametrize("end", ["closed", "killed"])
def test_open_transactions_end_with_their_owner_however_that_ends(context: FaultContext, end: str) -> None:
    told = {"sessions": 3, "statements": ["SELECT 1"], "application": "fault-test"}
    with broken(context, "open-transactions", **told):
        assert sessions(context) == ["idle in transaction"] * 3
        if end == "killed":
            context.helpers[0].process.kill()
        else:
            context.close()
        assert eventually(lambda: sessions(context) == [], 60)


def test_a_cancelled_transaction_comes_back_only_where_its_client_insists(context: FaultContext) -> None:
    for insists in (True, False):
        told = {"sessions": 1, "statements": ["SELECT 1"], "application": "fault-test", "reopens": insists}
        with broken(context, "open-transactions", **told) as end_sessions:
            assert end_sessions() == ["ended 1 sessions of fault-test"]
            if insists:
                assert eventually(lambda: sessions(context) == ["idle in transaction"], 60)
            else:  # the database has told the session to end, and a session ends when it is its turn
                assert eventually(lambda: sessions(context) == [])


def test_a_log_level_that_was_turned_up_is_turned_down(context: FaultContext, lab: EmbeddedLab) -> None:
    with broken(context, "log-level", service="gateway", level="debug") as undo:
        assert lab.fleetops("log", "level", "gateway").stdout.split() == ["gateway", "debug"]
        assert undo() == ["gateway logs at info again"]
        assert undo() == []


def test_nobody_new_gets_past_a_certificate_that_has_ended(context: FaultContext, lab: EmbeddedLab) -> None:
    url = postgres.tls_url(lab.home, lab.ports.link_db, lab.home.authority)

    def refusal() -> str:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            return str(error)
        return ""

    with broken(context, "short-certificate", server="link-db", lifetime_seconds=5) as undo:
        assert refusal() == ""
        assert eventually(lambda: "certificate verify failed" in refusal(), 60)
        assert undo() == ["link-db has a certificate of the usual lifetime"]
        assert undo() == []
        assert refusal() == ""


def test_a_configuration_that_is_refused_takes_a_service_down_and_comes_back_with_its_version(
    context: FaultContext,
) -> None:
    told = {"service": "feed-canary", "settings": ["pool_max=twelve"], "checked": False, "at_once": True}
    with broken(context, "config-push", **told) as undo:
        assert eventually(lambda: context.states()["feed-canary-1"] == "backoff", 60)
        (line,) = undo()
        assert line.startswith("feed-canary configuration") and line.endswith("→ 0")
        assert eventually(lambda: context.states()["feed-canary-1"] == "running", 60)
        assert undo() == []
