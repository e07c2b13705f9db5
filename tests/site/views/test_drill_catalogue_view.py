"""The drill catalogue on pages."""

from __future__ import annotations

from support import text

from lab.site.sources.context import SiteContext
from lab.site.views import (
    drill_catalogue,
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
