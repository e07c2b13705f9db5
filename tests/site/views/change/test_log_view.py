"""Risk classes, checklist and figures of changes on the pages are those of the code, the template and the records."""

from __future__ import annotations

import re
import shutil
from typing import Any

import pytest
from test_policies_view import cells

from lab.change.freeze import read_freezes
from lab.change.policy import CHANGES
from lab.change.risk import KINDS, RISKS
from lab.clients.times import epoch_seconds
from lab.errors import LabError
from lab.paths import DOCS, ROOT
from lab.site.sources.context import SiteContext
from lab.site.views.change import log
from lab.units import ABSENT


@pytest.fixture
def figures(context: SiteContext) -> Any:
    def read() -> dict[str, list[str]]:
        _, *rows = cells(log.change_figures(context))
        return {name: rest for name, *rest in rows}

    return read


def test_every_class_and_action_is_on_the_page(context: SiteContext) -> None:
    rows = cells(log.risk_classes(context))
    assert [row[0] for row in rows[1 : 1 + len(RISKS)]] == list(RISKS)
    assert {row[0] for row in rows[2 + len(RISKS) :]} == set(KINDS)
    assert ["canary weight", "normal", "fleetops canary weight OLD"] in rows


def test_the_checklist_is_that_of_the_template(context: SiteContext, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = re.findall(r"^- \[ \] (.*)$", log.TEMPLATE.read_text().partition("## Risk")[2].partition("## ")[0], re.M)
    assert len(boxes) > 4
    assert log.change_checklist(context).splitlines() == [f"- {box}" for box in boxes]
    monkeypatch.setattr(log, "TEMPLATE", ROOT / "README.md")
    with pytest.raises(LabError, match=r"README.md has no checklist below '## Risk'"):
        log.change_checklist(context)


def test_the_figures_are_of_drills_and_rollouts(context: SiteContext, figures: Any) -> None:
    shutil.rmtree(context.rollouts.folder)
    before = figures()
    assert log.change_population(context) == "the records of 1 drill, no rollout and no staged configuration push"
    assert before["standard"] == ["0", "0", ABSENT, ABSENT]
    context.rollouts.folder.mkdir()
    for name in ("feed-1.1.0.json", "feed-1.2.0.json", "feed-config-taken-back.json"):
        shutil.copy(DOCS / "rollouts" / name, context.rollouts.folder)
    events = context.rollouts.rollout("feed-1.1.0").events
    took = epoch_seconds(events[-1].at) - epoch_seconds(events[0].at)
    after = figures()
    push = context.rollouts.push("feed-config-taken-back")
    took = (took + epoch_seconds(push.ended_at) - epoch_seconds(push.started_at)) / 2
    assert after["standard"] == ["3", "2", "67 %", f"{took:.1f} s"]
    assert int(after["all"][0]) == int(before["all"][0]) + 3
    assert log.change_population(context) == "the records of 1 drill, 2 rollouts and 1 staged configuration push"


def test_a_change_of_a_drill_recovers_with_the_sli_and_without_one_with_the_alert() -> None:
    recovered = [
        (record.t0.timestamp() + took, epoch_seconds(change.restored_at))
        for record in SiteContext().records
        for change in log.of_drill(record)
        if change.restored_at
        and (took := record.data.durations.mttr_seconds or record.data.durations.resolved_seconds or 0)
    ]
    assert recovered
    assert all(measured == pytest.approx(expected, abs=0.001) for expected, measured in recovered)


def test_the_calendar_shows_each_freeze(context: SiteContext) -> None:
    _, *rows = cells(log.freeze_calendar(context))
    assert [(row[0], row[3], row[4]) for row in rows] == [
        (freeze.name, ", ".join(freeze.services), ", ".join(kind for kind in CHANGES if kind in freeze.refuses))
        for freeze in read_freezes()
    ]
