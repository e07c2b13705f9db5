"""Recorded pushes, refusals and healthy rollouts on the change page are those of their records."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from test_policies_view import cells

from lab import units
from lab.clients.times import epoch_seconds
from lab.errors import LabError
from lab.paths import DOCS, RULES
from lab.site.sources import change_records
from lab.site.sources.change_records import ChangeRecords
from lab.site.sources.context import SiteContext
from lab.site.views.change import pushes

HEALTHY = "feed-1.2.0"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SiteContext:
    """The site with a copy of the committed records of changes."""
    records = ChangeRecords(Path(shutil.copytree(DOCS / "rollouts", tmp_path / "rollouts")), RULES / "policy")
    context = SiteContext()
    monkeypatch.setitem(context.__dict__, "rollouts", records)
    return context


def test_a_push_shows_its_replica_beside_the_others(site: SiteContext) -> None:
    record = site.rollouts.push("feed-config-taken-back")
    assert record.step is not None
    table = pushes.push_story(site, "feed-config-taken-back")
    _, *rows = cells(table)
    assert [row[0] for row in rows] == list(record.step.counts)
    replica = record.step.counts[rows[0][0]]["canary"]
    assert rows[0][1] == f"{replica.bad_requests[-1]} of {replica.requests[-1]}"
    assert "taken back" in table
    assert record.reason[1:] in table


def test_a_refusal_shows_each_kind_of_change(site: SiteContext) -> None:
    _, *rows = cells(pushes.refusal_story(site, "feed-refused"))
    assert [row[:2] for row in rows] == [
        ["rollout, config, schema", "deny"], ["rollback", "allow"], ["security", "allow"],
    ]  # fmt: skip
    assert "of its budget left (exhausted:" in rows[0][2]


def test_the_events_of_a_rollout_start_at_zero(site: SiteContext) -> None:
    record = site.rollouts.rollout(HEALTHY)
    _, *rows = cells(pushes.rollout_events(site, HEALTHY))
    assert [row[1] for row in rows] == [event.phase for event in record.events]
    assert rows[0][0].startswith("0")
    assert rows[-1][3] == record.events[-1].by


def test_healthy_rollouts_are_counted_and_an_aborted_one_is_said(site: SiteContext) -> None:
    folder = site.rollouts.folder / change_records.HEALTHY
    shutil.rmtree(folder, ignore_errors=True)
    with pytest.raises(LabError, match=r"record_changes --healthy 20"):
        pushes.healthy_rollouts(site)
    folder.mkdir()
    for number in (1, 2, 3):
        shutil.copy(site.rollouts.folder / f"{HEALTHY}.json", folder / f"{number:02d}.json")
    events = site.rollouts.rollout(HEALTHY).events
    took = units.seconds(epoch_seconds(events[-1].at) - epoch_seconds(events[0].at))
    said = pushes.healthy_rollouts(site)
    assert said.startswith("3 recorded rollouts of the healthy version, none of them aborted, a page during")
    assert f"the median {took}" in said
    document = json.loads((folder / "01.json").read_text())
    document["events"][-1]["phase"] = "aborted"
    (folder / "04.json").write_text(
        json.dumps(document | {"outcome": "aborted", "pages": ["FeedLatencyP99Burn", "UserAvailabilityBurn"]})
    )
    assert (
        "4 recorded rollouts of the healthy version, 1 of them aborted, a page during 1 of them;"
        in pushes.healthy_rollouts(site)
    )


def test_a_record_of_another_kind_is_refused(site: SiteContext) -> None:
    with pytest.raises(LabError, match=r"docs/rollouts/feed-refused\.json is a RefusalRecord, not a PushRecord"):
        pushes.push_story(site, "feed-refused")
