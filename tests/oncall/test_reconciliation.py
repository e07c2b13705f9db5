"""A storm that ended leaves no page open, although Alertmanager's notifications about it were truncated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from payloads import alert, payload

from lab.errors import NotRunning
from lab.oncall import intake
from lab.oncall.reconciliation import PERIOD_SECONDS, Reconciliation
from lab.oncall.store import Store

Post = Callable[..., Any]


class Alertmanager:
    """Alerts that tests set, and the number of times they were asked for."""

    def __init__(self, **alerts: bool) -> None:
        self.alerts, self.asked, self.down = alerts, 0, False

    def __call__(self) -> dict[str, bool]:
        self.asked += 1
        if self.down:
            raise NotRunning("Alertmanager does not answer")
        return self.alerts


@pytest.fixture
def now() -> list[float]:
    return [1_800_000_000.0]


def names(store: Store) -> set[str]:
    return {page.alertname for page in store.pages(only_open=True)}


def test_pages_of_ended_alerts_are_resolved_while_alerts_are_left_out(
    post: Post, store: Store, now: list[float]
) -> None:
    held = Alertmanager(a=True, left_out=True, watchdog=False)
    reconciliation = Reconciliation(store, held, lambda: now[0])
    post("/alertmanager", {**payload(alert("A", fingerprint="a"), alert("B", fingerprint="b")), "truncatedAlerts": 1})
    assert reconciliation.check() == 1
    assert names(store) == {"A", intake.TRUNCATED}, "an alert that is left out still fires"
    held.alerts = {"a": True, "watchdog": False}
    assert reconciliation.check() == 0, "not before the period has passed"
    now[0] += PERIOD_SECONDS
    assert reconciliation.check() == 1
    assert names(store) == {"A"}


def test_alertmanager_is_not_asked_while_notifications_are_complete(post: Post, store: Store) -> None:
    held = Alertmanager()
    post("/alertmanager", payload(alert("A", fingerprint="a")))
    assert Reconciliation(store, held).check() == 0
    assert (names(store), held.asked) == ({"A"}, 0)


def test_no_page_is_resolved_while_alertmanager_does_not_answer(post: Post, store: Store) -> None:
    held = Alertmanager()
    held.down = True
    post("/alertmanager", {**payload(alert("A", fingerprint="a")), "truncatedAlerts": 1})
    assert Reconciliation(store, held).check() == 0
    assert names(store) == {"A", intake.TRUNCATED}
    assert held.asked == 1
