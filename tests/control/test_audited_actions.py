"""Every control action leaves an audit row, also while the pager is down."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from fakes import FakeGateway, FakePager, JsonServer

from lab.clients.pager import Pager
from lab.control import actions, audit
from lab.control.audit import AuditTrail
from lab.control.lab_clients import LabClients
from lab.errors import LabError, NotRunning, UsageError


def test_an_action_records_its_actor_target_reason_and_old_and_new_value(
    clients: LabClients, gateway: FakeGateway, pager: FakePager
) -> None:
    assert actions.set_canary_weight(clients, 25, "rollout") == 0
    assert gateway.state["canary"] == {"weight_percent": 25}
    (row,) = pager.rows.values()
    assert (row["actor"], row["action"], row["target"], row["reason"]) == ("ada", "canary weight", "gateway", "rollout")
    assert (row["old"], row["new"], row["outcome"]) == (0, 25, "done")


def test_the_intent_is_recorded_before_the_outcome(clients: LabClients, servers: dict[str, JsonServer]) -> None:
    actions.set_flag(clients, "canary", False)
    outcomes = [body["outcome"] for method, _, body in servers["pager"].asked if method == "POST"]
    assert outcomes == ["pending", "done"]


def test_a_failed_action_is_recorded_with_its_reason(
    clients: LabClients, servers: dict[str, JsonServer], pager: FakePager
) -> None:
    servers["gateway"].answer = lambda method, *_: (
        (200, FakeGateway().state) if method == "GET" else (500, {"error": "disk full"})
    )
    with pytest.raises(LabError, match="disk full"):
        actions.set_canary_weight(clients, 25)
    (row,) = pager.rows.values()
    assert row["outcome"] == "failed"
    assert "disk full" in row["reason"]


@pytest.mark.parametrize("percent", [-1, 101, float("nan")])
def test_a_canary_weight_outside_0_to_100_sends_no_request(
    clients: LabClients, servers: dict[str, JsonServer], percent: float
) -> None:
    with pytest.raises(UsageError, match="0 to 100"):
        actions.set_canary_weight(clients, percent)
    assert servers["gateway"].asked == []
    assert servers["pager"].asked == []


def test_an_unknown_flag_is_refused_with_the_known_ones_and_no_audit_row(clients: LabClients, pager: FakePager) -> None:
    with pytest.raises(UsageError, match=r"'nope'.*canary"):
        actions.set_flag(clients, "nope", True)
    assert pager.rows == {}


def test_an_action_works_while_the_pager_is_down_and_its_row_is_delivered_later(
    clients: LabClients, gateway: FakeGateway, pager: FakePager
) -> None:
    cut_off = replace(
        clients, trail=AuditTrail(Pager("http://127.0.0.1:9", timeout_seconds=0.2), clients.trail.spool, "ada")
    )
    actions.set_canary_weight(cut_off, 25)
    assert gateway.state["canary"] == {"weight_percent": 25}
    assert pager.rows == {}
    actions.set_canary_weight(clients, 0)
    assert sorted((row["old"], row["new"], row["outcome"]) for row in pager.rows.values()) == [
        (0, 25, "done"),
        (25, 0, "done"),
    ]
    assert clients.trail.spool.backlog().clear


def test_a_torn_line_of_a_killed_writer_does_not_block_later_rows(clients: LabClients, pager: FakePager) -> None:
    row = {"id": "r1", "actor": "ada", "outcome": "done"}
    clients.trail.spool.file.parent.mkdir(parents=True)
    clients.trail.spool.file.write_text('{"id": "r0", "act\n' + json.dumps(row) + "\n")
    clients.trail.flush()
    assert pager.rows == {"r1": row}


def test_an_unreachable_gateway_is_reported_with_the_command_that_starts_it(
    clients: LabClients, servers: dict[str, JsonServer]
) -> None:
    servers["gateway"].close()
    with pytest.raises(NotRunning, match=r"the gateway.*fleetops up"):
        actions.flags(clients)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"settings": {}, "version": 0}, "version 0"), ({"settings": {"a": "5m"}, "version": 6}, "a 5m, version 6"),
        ({"budget_ratio": 5.0, "on": True}, "budget_ratio 5, on on"), ({}, audit.ABSENT), (None, audit.ABSENT),
        (["user-1", "user-2"], "user-1, user-2"), ([1, 2, 3, 4], "4 items"), (False, "off"), ("valid", "valid"),
        ([{"outcome": "ended", "pid": 7}], "outcome ended, pid 7"), (50.0, "50"),
    ],
)  # fmt: skip
def test_old_and_new_values_are_formatted_as_text(value: object, text: str) -> None:
    assert audit.stated(value) == text
