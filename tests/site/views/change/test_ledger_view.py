"""The shares of error budgets on pages, and the build that refuses a large one without a postmortem."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from made_record import record
from support import text

from lab.errors import LabError
from lab.site.sources.context import POSTMORTEMS, SiteContext
from lab.site.views.change import ledger

SLO = "feed-latency-p99"


def spending(**ratios: float) -> dict[str, dict[str, object]]:
    """The budgets of the made-up record, with these shares by the name of an SLO of the feed; others have none."""
    zero = {"budget_spent_ratio": 0.0, "bad_events": 0}
    spent = {f"feed-{name.replace('_', '-')}": ratio for name, ratio in ratios.items()}
    return {
        slo: row | ({"budget_spent_ratio": spent[slo], "bad_events": 7} if slo in spent else zero)
        for slo, row in record()["budget"].items()
    }


def without_postmortem(context: SiteContext) -> None:
    for page in (context.docs / POSTMORTEMS).glob("INC-001_*"):
        page.unlink()


@pytest.fixture
def spend(rewrite: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Rewrites the made-up record with other shares, whose counts nobody verifies."""
    monkeypatch.setattr("lab.site.sources.records.verify", lambda _: type("Verified", (), {"problems": ()}))
    return lambda **ratios: rewrite(budget=spending(**ratios))


def test_an_incident_above_the_policys_share_without_a_postmortem_does_not_build(
    context: SiteContext, spend: Callable[..., None]
) -> None:
    spend(latency_p99=0.312, latency_p95=0.05)
    ledger.budget_ledger(context)
    without_postmortem(context)
    with pytest.raises(LabError) as refusal:
        ledger.budget_ledger(context)
    assert text(refusal.value) == (
        "INC-001 spent 31.2 % of the budget of feed-latency-p99, more than 20 % (postmortem_ratio), and has no"
        " postmortem; run 'fleetops incident postmortem INC-001 --output docs/06_postmortems/INC-001_TITLE.md'"
    )


def test_an_incident_at_the_policys_share_needs_no_postmortem(context: SiteContext, spend: Callable[..., None]) -> None:
    spend(latency_p99=0.2)
    without_postmortem(context)
    assert re.search(r"feed latency p99\s+7\s+20 %\s+\N{EN DASH}", text(ledger.budget_ledger(context)))


def test_the_largest_share_comes_first_and_small_ones_are_counted(
    context: SiteContext, spend: Callable[..., None]
) -> None:
    spend(latency_p95=0.03, latency_p99=1.185, availability=0.004)
    shown = text(ledger.budget_ledger(context))
    assert re.search(r"latency p99\s+7\s+118.5 %.*required above 20 %.*latency p95\s+7\s+3 %", shown)
    assert shown.count("required") == 1
    assert "Left out: 1 shares below 1 %" in shown
    assert "of 12 h (lab time, 60x)" in shown


def test_bars_share_a_scale_that_holds_the_largest(context: SiteContext, spend: Callable[..., None]) -> None:
    spend(latency_p95=0.5, latency_p99=1.25)
    shown = str(ledger.budget_ledger(context))
    assert re.findall(r'<rect width="([\d.]+)%"', shown) == ["100.00", "40.00"]
    assert set(re.findall(r'<line x1="([\d.]+)%"', shown)) == {"16.00"}


def test_the_page_names_the_policys_bound(context: SiteContext) -> None:
    assert text(ledger.postmortem_bound(context)) == "20 %"
