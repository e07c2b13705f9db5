"""The rate of the load generator: audited when a person sets it, and restored after a drill."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakes import FakePager, JsonServer

from lab.cli import main
from lab.control import traffic
from lab.control.admin_clients import TrafficAdmin
from lab.control.lab_clients import LabClients
from lab.drills.faults import FaultContext
from lab.drills.faults.load import LoadMultiplier
from lab.drills.undo import snapshot
from lab.errors import NotRunning, UsageError


class FakeTraffic:
    """A fake of the load generator's admin API."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {"rate": 80.0, "outstanding": 3, "extra": None}

    def __call__(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "PUT" and path == "/admin/rate":
            self.state |= body
        return 200, self.state


@pytest.fixture
def generator() -> FakeTraffic:
    return FakeTraffic()


@pytest.fixture(autouse=True)
def server(generator: FakeTraffic, monkeypatch: pytest.MonkeyPatch) -> Iterator[JsonServer]:
    running = JsonServer(generator)
    monkeypatch.setattr(TrafficAdmin, "of", lambda *_: TrafficAdmin(running.url, "token"))
    yield running
    running.close()


@pytest.fixture
def fleetops(
    clients: LabClients, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], tuple[int, str]]:
    """Runs `fleetops` with the test's lab clients; returns (exit status, output)."""
    monkeypatch.setattr("lab.cli.capacity.traffic.clients", lambda: clients)

    def run(command: str) -> tuple[int, str]:
        status = main.run(command.split())
        return status, "".join(capsys.readouterr())

    return run


def test_a_new_rate_is_set_and_audited(
    fleetops: Callable[[str], tuple[int, str]], generator: FakeTraffic, pager: FakePager
) -> None:
    assert fleetops("traffic rate 150 --reason sweep") == (0, "traffic 80 → 150 requests/s\n")
    assert generator.state["rate"] == 150
    (row,) = pager.rows.values()
    assert (row["actor"], row["action"], row["target"], row["reason"]) == ("ada", "traffic rate", "traffic", "sweep")
    assert (row["old"], row["new"], row["outcome"]) == (80, 150, "done")


@pytest.mark.parametrize("rate", ["-1", "2000.1", "nan", "inf", "-inf"])
def test_a_rate_outside_0_to_2000_is_refused_in_one_line_without_an_audit_row(
    fleetops: Callable[[str], tuple[int, str]], server: JsonServer, pager: FakePager, rate: str
) -> None:
    status, output = fleetops(f"traffic rate {rate}")
    assert (status, output) == (2, f"fleetops: traffic rate {rate} is not a number from 0 to 2000 requests a second\n")
    assert server.asked == []
    assert pager.rows == {}


@pytest.mark.parametrize("rate", ["fast", "--fast"])
def test_a_rate_that_is_no_number_is_refused_in_one_line(
    fleetops: Callable[[str], tuple[int, str]], server: JsonServer, rate: str
) -> None:
    status, output = fleetops(f"traffic rate {rate}")
    assert (status, output.count("\n")) == (2, 1)
    assert f"'{rate}' is not a valid float" in output
    assert server.asked == []


def test_the_state_is_shown_as_text_and_as_json(
    fleetops: Callable[[str], tuple[int, str]], generator: FakeTraffic
) -> None:
    assert fleetops("traffic show") == (
        0,
        "rate             80 requests/s\nin flight        3 requests\nadditional load  none\n",
    )
    generator.state["extra"] = {"client_id": "guest", "rate": 100.0, "people": 5, "ramp_seconds": 0}
    assert "100 requests/s of guest" in fleetops("traffic show")[1]
    status, output = fleetops("traffic show --json")
    assert (status, json.loads(output)) == (0, generator.state)


def test_without_a_load_generator_the_attempt_is_audited_as_failed(
    clients: LabClients, server: JsonServer, pager: FakePager
) -> None:
    server.close()
    with pytest.raises(NotRunning, match="the load generator"):
        traffic.set_rate(clients, 150)
    (row,) = pager.rows.values()
    assert row["outcome"] == "failed"


def test_a_fault_sets_the_rate_without_an_audit_row(
    clients: LabClients, generator: FakeTraffic, pager: FakePager
) -> None:
    context, fault = FaultContext(clients), LoadMultiplier(multiplier=5)
    captured = fault.capture(context)
    fault.inject(context)
    assert generator.state["rate"] == 400
    assert fault.undo(context, captured) == ["offered load 400 → 80 requests/s"]
    assert fault.undo(context, captured) == []
    assert pager.rows == {}


def test_a_fault_cannot_exceed_the_largest_rate(clients: LabClients, generator: FakeTraffic) -> None:
    generator.state["rate"] = 200.0
    with pytest.raises(UsageError, match="traffic rate 4000 is not"):
        LoadMultiplier(multiplier=20).inject(FaultContext(clients))
    assert generator.state["rate"] == 200


def test_the_rate_is_restored_after_a_drill(clients: LabClients, generator: FakeTraffic, pager: FakePager) -> None:
    before = snapshot.take(clients)
    assert before.traffic_rate == 80
    traffic.set_rate(clients, 20)
    assert snapshot.restore(clients, before, "undo drill") == ["traffic 20 → 80 requests/s"]
    assert generator.state["rate"] == 80
    assert list(pager.rows.values())[-1]["reason"] == "undo drill"
    assert snapshot.restore(clients, before, "undo drill") == []


def test_a_load_generator_that_does_not_answer_keeps_no_drill_from_its_undo(
    clients: LabClients, server: JsonServer
) -> None:
    before = snapshot.take(clients)
    server.close()
    assert snapshot.take(clients).traffic_rate is None
    assert snapshot.restore(clients, before, "undo drill") == []
