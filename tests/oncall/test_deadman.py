"""The dead-man's switch: when the Watchdog stops arriving, the pager raises a page itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from payloads import alert, payload
from polling import eventually

from lab.oncall.deadman import GRACE_SECONDS, SILENT_SECONDS, DeadMansSwitch
from lab.oncall.store import Store
from lab.oncall.ticker import Ticker

Post = Callable[..., Any]


def pass_time(clock: Any, switch: DeadMansSwitch, seconds: float) -> None:
    """Advance the clock second by second, with a check at each, as the pager's ticker does."""
    for _ in range(round(seconds)):
        clock.seconds += 1
        switch.check()


def test_there_is_no_page_while_the_watchdog_keeps_arriving(
    post: Post, store: Store, switch: DeadMansSwitch, clock: Any
) -> None:
    for _ in range(40):
        assert post("/watchdog", payload(alert("Watchdog"))).status_code == 200
        pass_time(clock, switch, 8)
    assert store.pages() == []


def test_a_missing_watchdog_raises_one_page_with_its_runbook(
    post: Post, store: Store, switch: DeadMansSwitch, clock: Any
) -> None:
    post("/watchdog", payload(alert("Watchdog")))
    pass_time(clock, switch, SILENT_SECONDS - 1)
    assert store.pages() == []
    pass_time(clock, switch, 60)
    (page,) = store.pages()
    assert (page.alertname, page.severity, page.status) == ("Watchdog", "page", "firing")
    assert page.runbook_url == "http://127.0.0.1:8000/03_runbooks/#watchdog"


def test_the_page_resolves_when_the_watchdog_returns_and_the_next_silence_raises_a_new_page(
    post: Post, store: Store, switch: DeadMansSwitch, clock: Any
) -> None:
    post("/watchdog", payload(alert("Watchdog")))
    pass_time(clock, switch, SILENT_SECONDS)
    post("/watchdog", payload(alert("Watchdog")))
    assert [page.status for page in store.pages()] == ["resolved"]
    pass_time(clock, switch, SILENT_SECONDS)
    assert [page.status for page in store.pages()] == ["firing", "resolved"]


def test_a_starting_lab_has_the_grace_period_to_send_its_first_watchdog(
    store: Store, switch: DeadMansSwitch, clock: Any
) -> None:
    pass_time(clock, switch, GRACE_SECONDS - 1)
    assert store.pages() == []
    pass_time(clock, switch, 1)
    assert len(store.pages(only_open=True)) == 1


def test_a_pager_that_was_frozen_waits_a_full_silence_before_it_pages(
    post: Post, store: Store, switch: DeadMansSwitch, clock: Any
) -> None:
    post("/watchdog", payload(alert("Watchdog")))
    clock.seconds += 600
    switch.check()
    assert store.pages() == []
    pass_time(clock, switch, SILENT_SECONDS)
    assert len(store.pages(only_open=True)) == 1


def test_a_restarted_pager_raises_no_second_page_for_the_same_silence(
    store: Store, switch: DeadMansSwitch, clock: Any
) -> None:
    pass_time(clock, switch, GRACE_SECONDS)
    again = DeadMansSwitch(store, "http://127.0.0.1:8000", clock)
    pass_time(clock, again, GRACE_SECONDS + 5)
    assert len(store.pages()) == 1


def test_only_a_firing_watchdog_counts_as_a_heartbeat(post: Post) -> None:
    assert post("/watchdog", payload(alert())).status_code == 400
    resolved = alert("Watchdog", status="resolved", endsAt="2026-01-31T12:05:00Z")
    assert post("/watchdog", payload(resolved)).status_code == 400


def test_a_heartbeat_without_the_token_is_refused(post: Post) -> None:
    assert post("/watchdog", payload(alert("Watchdog")), Authorization="Bearer guess").status_code == 401


def test_the_switch_keeps_working_beside_a_check_that_fails(store: Store, switch: DeadMansSwitch, clock: Any) -> None:
    def broken() -> None:
        raise KeyError("fingerprint")

    pass_time(clock, switch, GRACE_SECONDS - 1)
    clock.seconds += 1
    ticker = Ticker(broken, switch.check, period_seconds=0.01)
    ticker.start()
    try:
        assert eventually(lambda: bool(store.pages(only_open=True)), 10)
    finally:
        ticker.close()


def test_the_switch_keeps_working_after_a_failure_of_the_store(
    store: Store, switch: DeadMansSwitch, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive, failures = store.receive, iter([sqlite3.OperationalError("database or disk is full")])

    def failing_once(notices: Any) -> int:
        for failure in failures:
            raise failure
        return receive(notices)

    monkeypatch.setattr(store, "receive", failing_once)
    pass_time(clock, switch, GRACE_SECONDS - 1)
    clock.seconds += 1
    ticker = Ticker(switch.check, period_seconds=0.01)
    ticker.start()
    try:
        assert eventually(lambda: bool(store.pages(only_open=True)), 10)
    finally:
        ticker.close()
