"""SLO tables and times on pages follow the specs and the burn-rate arithmetic."""

from __future__ import annotations

import pytest
from support import text

from lab.errors import LabError
from lab.services.gateway import priority
from lab.site.sources.context import SiteContext
from lab.site.views import (
    slo,
)
from lab.slo import burn_rate
from lab.slo.burn_rate import detection_seconds


def test_every_slo_is_in_the_table_with_its_budget(context: SiteContext) -> None:
    shown = text(slo.slo_table(context))
    assert all(name in shown for name in ("feed availability", "user latency p99"))
    assert "99.95 %" in shown
    assert "43 min 12 s" in shown  # 0.1 % of 30 days
    assert "successful, slower than 400 ms" in shown


def test_the_detection_table_follows_the_arithmetic_and_shows_what_never_fires(context: SiteContext) -> None:
    tier = context.slos.production.tiers[0]
    shown = text(slo.detection_table(context))
    assert detection_seconds(tier, 0.001, 1.0) == pytest.approx(51.84)
    assert "51.8 s" in shown
    assert "never" in shown


def test_the_lab_shows_production_time_divided_by_its_factor(context: SiteContext) -> None:
    assert slo.factor(context) == "60x"
    assert slo.detection(context, "feed-latency-p99", 50, "lab").replace("\u00a0", " ") == "17.3 s"
    assert slo.detection(context, "feed-latency-p99", 50).replace("\u00a0", " ") == "17 min 17 s"
    assert slo.detection(context, "feed-latency-p99", 1) == "never"


def test_a_production_time_is_computed_with_production_windows_not_a_multiplied_lab_time(
    context: SiteContext,
) -> None:
    """INC-001: 4.85 % of feeds late for 5 s, then 48.5 %; 3,600 s x 14.4 x 1 % are 518.4 bad seconds."""
    assert slo.production_time(context, "INC-001").replace("\u00a0", " ") == "17 min 54 s"
    for ident, why in (("D0", "D0 has no SLO at stake"), ("INC-999", "no drill 'INC-999'")):
        with pytest.raises(LabError, match=why):
            slo.production_time(context, ident)


def test_the_slow_burn_page_outlasts_a_ten_minute_outage_by_half_an_hour(context: SiteContext) -> None:
    assert slo.tail(context, "feed-availability", 600).replace("\u00a0", " ") == "29 min 49 s"
    assert slo.tail(context, "feed-availability", 60).replace("\u00a0", " ") == "0 s"


def test_of_tiers_that_fire_together_the_first_is_in_bold(context: SiteContext) -> None:
    """At 95 % and 100 % bad, 3x over a day and 1x over three days both fire after 3 h 36 min."""
    budget = 1 - 0.95
    first = burn_rate.first_detection(context.slos.production.of("ticket"), budget, [(3e6, 1.0)])
    assert first is not None and first[1].factor == 3
    rows = [row for row in str(slo.detection_table(context)).split("<tr") if ">95 %" in row and "ticket" in row]
    cells = [row.split("<td>")[2] for row in rows]
    assert ["<b" in cell for cell in cells] == [True, False]
    assert all("3\u00a0h\u00a036\u00a0min" in cell for cell in cells)


def test_tiers_are_named_by_their_burn(context: SiteContext) -> None:
    shown = text(slo.tier_table(context))
    assert all(name in shown for name in ("fast-burn page", "slow-burn page", "fast-burn ticket", "slow-burn ticket"))
    assert "quick" not in shown


def test_the_slo_of_the_requests_that_are_shed_first_is_the_tightest_as_page_02_says(context: SiteContext) -> None:
    tightest = min(context.slos.slos, key=lambda slo: slo.budget_ratio)
    assert tightest.sloth_id == "user-availability"
    assert priority.PRIORITIES.index(priority.FEED_READ) < priority.PRIORITIES.index(priority.USER_READ)
    assert priority.PRIORITIES.index(priority.USER_READ) < priority.PRIORITIES.index(priority.WRITE)
