"""`fleetops change list`: the newest changes, and the figures of all."""

from __future__ import annotations

import json

import pytest
from documents import page_json
from fakes import FakePager
from lab_clients import clients, gateway, pager, servers

from lab.cli import main
from lab.control.lab_clients import LabClients

__all__ = ["clients", "gateway", "pager", "servers"]


@pytest.fixture
def lab(clients: LabClients, monkeypatch: pytest.MonkeyPatch) -> LabClients:
    monkeypatch.setattr("lab.cli.change.log.clients", lambda: clients)
    return clients


def drill(lab: LabClients, pager: FakePager) -> None:
    """A weight that pages and is taken back, and a flag."""
    for new, reason in ((5, "release"), (0, "")):
        with lab.trail.action("canary weight", "gateway", new=new, reason=reason) as change:
            change.old = 5 - new
    with lab.trail.action("flag set", "serve-stale", new=True) as change:
        change.old = False
    for second, row in enumerate(pager.rows.values()):
        row["at"] = f"2026-01-02T03:04:{second:02}.000Z"
    pager.pages.append(page_json(received_at="2026-01-02T03:04:00.500Z", resolved_at="2026-01-02T03:04:08.000Z"))


def test_the_newest_changes_come_first_with_the_way_back(
    lab: LabClients, pager: FakePager, capsys: pytest.CaptureFixture[str]
) -> None:
    drill(lab, pager)
    assert main.run(["change", "list"]) == 0
    head, flag, weight, figures = capsys.readouterr().out.splitlines()
    assert " ".join(head.split()) == "AT (UTC) CLASS WHAT BY OUTCOME TAKE BACK"
    assert flag.split("  ")[-1].strip() == "fleetops flag set serve-stale off"
    assert "normal" in weight and "canary weight: 0 → 5" in weight and weight.endswith("taken back  -")
    assert figures == "change failure rate: 1 of 2 (50%), median recovery time 8.0 s in lab time (60x)"


def test_what_is_left_out_is_counted(lab: LabClients, pager: FakePager, capsys: pytest.CaptureFixture[str]) -> None:
    drill(lab, pager)
    assert main.run(["change", "list", "--limit", "1"]) == 0
    out = capsys.readouterr().out
    assert "serve-stale" in out and "canary" not in out
    assert "1 older ones are not shown; use --limit" in out


def test_the_same_as_json(lab: LabClients, pager: FakePager, capsys: pytest.CaptureFixture[str]) -> None:
    drill(lab, pager)
    assert main.run(["change", "list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(row["action"], row["failed"]) for row in found["changes"]] == [
        ("flag set", False),
        ("canary weight", True),
    ]
    assert found["figures"] == {
        "changes": 2, "failed": 1, "failure_ratio": 0.5, "median_recovery_seconds": 8.0, "factor": 60,
    }  # fmt: skip


def test_without_changes_it_says_so(lab: LabClients, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["change", "list"]) == 0
    assert capsys.readouterr().out.splitlines() == ["no changes", "change failure rate: no finished change"]
