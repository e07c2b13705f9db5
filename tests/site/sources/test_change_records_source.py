"""Committed records of changes: one that is missing, damaged, changed by hand or of another policy is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import names
from lab.clients.times import epoch_seconds
from lab.errors import LabError
from lab.paths import DOCS, RULES
from lab.rollout import record
from lab.rollout.record import RolloutRecord
from lab.site.sources.change_records import HEALTHY, HEALTHY_RUNS, ChangeRecords
from lab.site.sources.context import SiteContext

POLICY = RULES / "policy"
AGAIN = r"python -m scripts\.record_changes feed-1\.1\.0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DOCS / "rollouts", tmp_path / "rollouts"))


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    file = folder / "feed-1.1.0.json"
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


def test_every_committed_record_is_valid_and_of_the_policy_in_force() -> None:
    found = [one for one in SiteContext().rollouts if isinstance(one, RolloutRecord)]
    records = {f"{one.service}-{one.version}": one for one in found}
    assert {"feed-1.1.0", "feed-1.2.0"} <= set(records)
    assert records["feed-1.1.0"].outcome == "aborted"
    assert records["feed-1.2.0"].outcome == "promoted"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda d: d["steps"][-1].update(verdict="pass"), "contradicts itself: /steps/0/verdict"),
        (lambda d: d["policy"].update(margin=3.0), "contradicts itself|is stale"),
        (lambda d: d["policy"].update(dwell_seconds=11.0), "is stale: rollout.yml changed since"),
    ],
    ids=["verdict", "margin", "dwell"],
)
def test_a_record_changed_by_hand_or_of_another_policy_says_how_to_record_it_again(
    folder: Path, change: Callable[[dict[str, Any]], object], why: str
) -> None:
    changed(folder, change)
    with pytest.raises(LabError, match=f"record docs/rollouts/feed-1.1.0.json ({why}).*{AGAIN}") as refused:
        ChangeRecords(folder, POLICY).read("feed-1.1.0")
    assert "\n" not in str(refused.value)


def test_a_missing_record_says_how_to_record_it_and_a_damaged_one_is_named(folder: Path) -> None:
    (folder / "feed-1.1.0.json").unlink()
    with pytest.raises(LabError, match=f"does not exist.*{AGAIN}"):
        ChangeRecords(folder, POLICY).read("feed-1.1.0")
    (folder / "feed-1.2.0.json").write_text("{")
    with pytest.raises(LabError, match=r"feed-1\.2\.0\.json is not the record of a change"):
        list(ChangeRecords(folder, POLICY))


def test_the_committed_healthy_rollouts_end_with_all_clients_within_two_minutes() -> None:
    files = sorted((DOCS / "rollouts" / HEALTHY).glob("*.json"))
    assert len(files) == HEALTHY_RUNS
    for file in files:
        found = record.load(file)
        assert isinstance(found, RolloutRecord)
        assert (found.outcome, found.version) == ("promoted", names.VERSION_NEXT), file
        start, end = (epoch_seconds(found.events[index].at) for index in (0, -1))
        assert end - start < 120, file
