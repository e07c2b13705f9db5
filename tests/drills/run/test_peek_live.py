"""A program that searches for the drill's name finds nothing, and undoing a blind drill changes nothing else."""

from __future__ import annotations

import json

import pytest
from embedded import EmbeddedLab, more_drills

from lab.control.lab_clients import LabClients
from lab.drills.run.blind import every_fault
from lab.drills.undo.journal import current, exclusive, undo, undoing

DRILL_SECONDS = 540
pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("usual_traffic"), pytest.mark.timeout(560, func_only=True)]


@more_drills
def test_peek_scores_no_better_at_diagnosis_than_somebody_who_does_nothing(lab: EmbeddedLab) -> None:
    done = lab.fleetops("drill", "run", "INC-001", "--responder", "peek", "--json", timeout=DRILL_SECONDS)
    assert done.stdout, done.stderr
    record = json.loads(done.stdout)
    assert done.returncode == 1, "it mitigates nothing"
    assert record["durations"]["page_seconds"] is not None, "it was paged"
    assert "nothing reveals the drill" in done.stderr
    lines = {line["name"]: line["points"] for line in record["score"]["lines"]}
    assert (lines["diagnosis"], record["score"]["diagnosis"]) == (0, None)


def test_undoing_every_fault_of_the_catalogue_changes_nothing_where_none_was_injected(
    lab: EmbeddedLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETOPS_HOME", str(lab.home.path))
    monkeypatch.setenv("FLEETOPS_PORT_BASE", str(lab.ports.base))
    clients = LabClients.here("test")
    with exclusive(clients.home), undoing(clients, "INC-001", every_fault(), blind=True):
        assert current(clients.home) is not None
        assert undo(clients) == []
