"""What the console says of the error-budget policy and of the rollout, from their files."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from sources import MadeUpPager, MadeUpPrometheus, watcher
from test_change_metrics import JUDGEMENT, ROLLOUT, lab_home

from lab.atomic_write import write_json
from lab.change import ask
from lab.change.ask import Memory, Override
from lab.clients.documents import as_builtins
from lab.clients.times import epoch_seconds
from lab.console.changes import Changes
from lab.console.documents import SloState
from lab.paths import Home
from lab.rollout import journal, progress
from lab.slo.catalogue import LAB, load_windows

NOW = epoch_seconds("2026-06-01T12:00:00.000Z")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return lab_home(tmp_path)


def slos(left: float, burn: float = 0.0) -> list[SloState]:
    """The SLOs of a live lab, all with the same budget and burn rate."""
    of = watcher(MadeUpPrometheus(), MadeUpPager()).snapshot().slos
    return [
        msgspec.structs.replace(
            slo,
            budget_remaining_ratio=left,
            tiers=[msgspec.structs.replace(tier, long_burn=burn, short_burn=burn) for tier in slo.tiers],
        )
        for slo in of
    ]


def overridden(home: Home, until: str) -> None:
    made = Override(
        service="feed", change="rollout", by="ada", reason="it ends the outage", at="2026-06-01T11:59:00.000Z",
        until=until,
    )  # fmt: skip
    write_json(ask.memory_file(home), as_builtins(Memory(overrides=[made])))


@pytest.mark.parametrize(
    ("left", "burn", "state", "refuses"),
    [
        (0.9, 0.0, "open", []),
        (-0.2, 0.0, "exhausted", ["rollout", "config", "schema"]),
        (0.9, 7.0, "open", ["rollout", "config", "schema"]),
    ],
)
def test_each_service_has_its_state_and_what_is_refused(
    home: Home, left: float, burn: float, state: str, refuses: list[str]
) -> None:
    found = Changes(home, load_windows(LAB)).state(slos(left, burn), NOW)
    assert [(gate.service, gate.state, list(gate.refuses)) for gate in found.gates] == [
        ("feed", state, refuses), ("user", state, refuses),
    ]  # fmt: skip
    assert found.rollout is None


def test_an_override_lets_its_kind_of_change_pass_until_it_ends(home: Home) -> None:
    changes = Changes(home, load_windows(LAB))
    overridden(home, "2026-06-01T12:10:00.000Z")
    feed = changes.state(slos(-0.2), NOW).gates[0]
    assert list(feed.refuses) == ["config", "schema"]
    assert list(feed.overrides) == ["rollout by ada until 2026-06-01T12:10:00.000Z: it ends the outage"]
    feed = changes.state(slos(-0.2), NOW + 601).gates[0]
    assert list(feed.refuses) == ["rollout", "config", "schema"]
    assert list(feed.overrides) == ["rollout by ada until 2026-06-01T12:10:00.000Z (expired): it ends the outage"]


def test_without_prometheus_the_state_is_unknown(home: Home) -> None:
    gates = Changes(home, load_windows(LAB)).state([], NOW).gates
    assert [(gate.state, list(gate.refuses)) for gate in gates] == [("unknown", ["rollout", "schema"])] * 2


def test_a_rollout_is_shown_with_its_evidence(home: Home) -> None:
    journal.save(home, ROLLOUT)
    progress.save(home, ROLLOUT, JUDGEMENT)
    found = Changes(home, load_windows(LAB)).state(slos(0.9), NOW).rollout
    assert found is not None
    assert (found.version, found.phase, found.step, found.steps) == ("1.2.0", "stepping", 2, 4)
    assert found.progress is not None
    assert found.progress.slos[0].requests == 40


def test_a_damaged_file_is_named(home: Home) -> None:
    journal.file_of(home).write_text("{", encoding="utf-8")
    assert "rollout.json is damaged" in Changes(home, load_windows(LAB)).state(slos(0.9), NOW).problem
