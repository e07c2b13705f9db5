"""The drill catalogue on pages."""

from __future__ import annotations

import json
import re

from made_record import record
from support import text

from lab.paths import DOCS
from lab.site.sources import register_files
from lab.site.sources.context import SiteContext
from lab.site.views import (
    cross_links,
    drill_catalogue,
    drills,
    registers,
    services,
)


def test_an_alert_without_a_record_is_not_yet_recorded(context: SiteContext) -> None:
    assert "2026-01-02" in text(drill_catalogue.last_exercised(context, "FeedLatencyP99Burn"))
    assert "not yet recorded" in text(drill_catalogue.last_exercised(context, "UserLatencyP99Burn"))
    (context.docs / "records" / "INC-001.json").unlink()
    assert "not yet recorded" in text(
        drill_catalogue.last_exercised(SiteContext(docs=context.docs), "FeedLatencyP99Burn")
    )


def test_every_drill_flag_and_risk_is_listed(context: SiteContext) -> None:
    assert "INC-001" in text(drill_catalogue.drill_table(context))
    assert "D0" in text(drill_catalogue.drill_table(context))
    assert all(flag in text(services.flag_table(context)) for flag in ("canary", "feed", "profile-writes"))
    assert "R-01" in text(registers.risk_table(context))
    assert "AI-001-4" in text(registers.action_items(context, "INC-001"))


def test_an_incident_leads_to_the_risks_of_its_own_drill(context: SiteContext) -> None:
    """Another drill's risk with the same alert is not this incident's."""
    for drill in context.catalogue:
        own = {risk.id for risk in register_files.risks() if risk.drill == drill.id}
        assert set(re.findall(r">(?:<[^>]*>)?(R-\d+)<", cross_links.incident_loop(context, drill.id))) == own


def test_each_median_says_over_how_many_incidents(context: SiteContext) -> None:
    made = record()
    for ident in ("INC-003", "INC-005", "INC-010"):
        document = made | {"drill": made["drill"] | {"id": ident}}
        if ident == "INC-010":
            document["durations"] = made["durations"] | {"mttr_seconds": None}
            document["timeline"] = [event for event in made["timeline"] if event["kind"] != "recovered"]
        (context.docs / "records" / f"{ident}.json").write_text(json.dumps(document))
    shown = text(drill_catalogue.incident_measures(SiteContext(docs=context.docs)))
    assert [int(count) for count in re.findall(r"\bof (\d+)\b", shown)] == [4, 4, 4, 3]


def test_the_score_refers_to_the_rule_of_partial_points_where_it_stands(context: SiteContext) -> None:
    page = (DOCS / "05_incident_simulations.md").read_text()
    above = page.index("worth half") < page.index("score_table()")
    assert ("as above" if above else "as below") in text(drills.score_table(context))
