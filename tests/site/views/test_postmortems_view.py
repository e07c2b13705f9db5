"""The table at the top of a postmortem, and the parameters of its drill."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace

import pytest
from made_record import record as made_record

from lab import units
from lab.drills.schema.record import parse
from lab.errors import LabError
from lab.site.sources.context import POSTMORTEMS, SiteContext
from lab.site.sources.records import Record
from lab.site.views import postmortems, slo

FRONT = "---\ntitle: x\nstatus: reviewed\nauthors: [writer]\nreviewers: [reader]\n---\n"


def text(markup: object) -> str:
    return re.sub(r"\s*\n\s*| +", " ", html.unescape(re.sub(r"<[^>]+>", " ", str(markup))).replace(units.NBSP, " "))


def with_postmortem(context: SiteContext, **changes: object) -> SiteContext:
    (context.docs / "records" / "INC-001.json").write_text(json.dumps(made_record() | changes))
    (context.docs / POSTMORTEMS / "INC-001_x.md").write_text(FRONT)
    return replace(context, page=lambda: f"{POSTMORTEMS}/INC-001_x.md")


def test_the_head_of_a_postmortem_reads_all_but_status_and_roles_from_the_record(context: SiteContext) -> None:
    shown = text(postmortems.postmortem_head(with_postmortem(context), "INC-001"))
    spent = made_record()["budget"]["feed-latency-p99"]
    for part in (
        "Status reviewed", "Severity SEV2", "Date 2026-01-02 03:04 UTC",
        "Duration 33.0 s, from the fault to the recovery (lab time, 60x)", "Authors writer", "Reviewers reader",
        "Users affected 410 of 900 who used the feed service (45.6 %)",
        f"Requests affected {units.number(spent['bad_events'])} of {units.number(spent['total_events'])} counted by",
        "Error budget spent",
    ):  # fmt: skip
        assert part in shown, part


def test_the_duration_ends_with_the_alert_without_an_slo_at_stake() -> None:
    times = made_record()["durations"]
    for users, mttr, duration in (
        ({"asked": 1, "hit": 1}, 33.0, "33.0 s, from the fault to the recovery"),
        ({"asked": 1, "hit": 1}, None, "no recovery in the record"),
        (None, None, "36.0 s, from the fault to the resolved alert"),
    ):
        data = made_record() | {"users": users, "durations": {**times, "mttr_seconds": mttr}}
        assert duration in text(postmortems._duration(Record("INC-001", "", parse(data))))


def test_a_drill_value_has_its_unit_and_an_unknown_one_is_named(context: SiteContext) -> None:
    assert text(postmortems.drill_value(context, "INC-001", "fault.steps.0.weight_percent")) == "5 %"
    assert postmortems.drill_value(context, "INC-007", "load.0.settings.0") == "2"
    assert text(postmortems.drill_value(context, "INC-007", "load.1.extra_delay_seconds")) == "25 ms"
    with pytest.raises(LabError, match=r"INC-007 has no 'load\.9': '9' does not exist"):
        postmortems.drill_value(context, "INC-007", "load.9")
    with pytest.raises(LabError, match="is not a number"):
        postmortems.drill_value(context, "INC-007", "fault.kind")


def test_at_the_first_weight_of_inc_001_no_page_can_fire_as_its_postmortem_says(context: SiteContext) -> None:
    first = postmortems.drill_value(context, "INC-001", "fault.steps.0.weight_percent")
    floor = slo.page_floor(context, "feed-latency-p99")
    assert (text(first), text(floor)) == ("5 %", "6 %")
