"""An incident on a page shows what its record says."""

from __future__ import annotations

import re
from collections.abc import Callable

from made_record import INSTANTS, at, record
from support import text

from lab.site.sources.context import SiteContext
from lab.site.views import (
    charts,
    evidence,
    incident,
)

Rewrite = Callable[..., None]


def test_the_mitigation_is_the_action_that_the_record_grades(context: SiteContext, rewrite: Rewrite) -> None:
    """An earlier action is on the timeline but is not T6."""
    made = record()
    early = made["timeline"][5] | {"kind": "action", "t_seconds": 26.0, "at": at(26.0), "title": "Made up: early"}
    action = made["actions"][0] | {"action": "service restart", "old": None, "new": None, "at": at(26.0)}
    early["evidence"] = {"pointer": "/actions/1"}
    rewrite(timeline=[*made["timeline"], early], actions=[*made["actions"], action])
    assert incident.moment(context, "INC-001", "action") == "27.6\u00a0s"
    assert [mark.at_seconds for mark in context.records.read("INC-001").marks() if mark.label == "T6"] == [27.6]


def test_a_signal_without_a_sample_before_the_fault_shows_no_data(context: SiteContext, rewrite: Rewrite) -> None:
    signals = record()["signals"]
    for signal in signals:
        if signal["name"] == "feed_canary_p99_seconds":
            signal["values"] = [None] * 40 + signal["values"][40:]
    rewrite(signals=signals)
    assert incident.before(context, "INC-001", "feed_canary_p99_seconds") == "no data"
    assert "no data before the fault" in text(charts.chart(context, "INC-001", "feed_canary_p99_seconds"))


def test_the_timeline_has_every_event_in_order_and_links_to_the_chart(context: SiteContext) -> None:
    shown = str(incident.timeline(context, "INC-001", "feed_p99_seconds"))
    places = [shown.index(f"Made up: {kind}") for kind in INSTANTS]
    assert places == sorted(places)
    assert 'href="#chart-inc-001-feed-p99-seconds-t3"' in shown
    chart = str(charts.chart(context, "INC-001", "feed_p99_seconds"))
    assert 'id="chart-inc-001-feed-p99-seconds-t3"' in chart


def test_the_timeline_names_a_tier_by_its_burn_and_gives_tenths(context: SiteContext) -> None:
    shown = text(incident.timeline(context, "INC-001"))
    assert "tier page.quick: 48.75%" in record()["timeline"][2]["detail"]
    assert "tier fast-burn page: 48.75%" in shown
    offsets = re.findall(r"T\+([\d.]+) s\b", shown)
    assert len(offsets) > 4
    assert all(offset == "0" or "." in offset for offset in offsets)


def test_values_for_sentences_come_from_the_record(context: SiteContext) -> None:
    def plain(value: str) -> str:
        return value.replace("\u00a0", " ")

    assert plain(incident.moment(context, "INC-001", "page")) == "25.4 s"
    assert plain(incident.between(context, "INC-001", "page", "ack")) == "0.5 s"
    assert incident.recorded_day(context, "INC-001") == "2026-01-02"
    assert incident.fact(context, "INC-001", "lab.cores") == "2"


def test_a_page_in_time_says_when_the_alert_fired_well_before_its_prediction(
    context: SiteContext, rewrite: Rewrite
) -> None:
    assert re.search(r"allowances\s+yes\s", text(incident.prediction(context, "INC-001")))
    due = record()["prediction"]
    rewrite(prediction=due | {"detection_seconds": 34.2})
    shown = text(incident.prediction(context, "INC-001"))
    assert "yes, but fired 10.0 s earlier than predicted" in shown
    rewrite(prediction=due | {"detection_seconds": 34.2, "bound": True})
    assert "yes, fired 10.0 s before the bound" in text(incident.prediction(context, "INC-001"))
    assert "from the first bad request to the pager" in shown
    assert "page.quick" not in shown and "fast-burn page" in shown


def test_a_change_is_shown_with_sizes_and_times_for_reading(context: SiteContext, rewrite: Rewrite) -> None:
    row = record()["actions"][0]
    rotated = row | {"action": "log rotate", "old": {"gateway": 17_882_437}, "new": {"gateway": 3015}}
    renewed = row | {"old": "2027-02-28T10:37:31.000Z", "new": "2026-11-30T11:01:08.000Z"}
    rewrite(actions=[rotated, renewed])
    shown = text(evidence.actions(context, "INC-001"))
    assert "gateway 17.9 MB → gateway 3.0 kB" in shown
    assert "2027-02-28 10:37 UTC → 2026-11-30 11:01 UTC" in shown


def test_a_ratio_that_stayed_zero_is_said_in_words(context: SiteContext, rewrite: Rewrite) -> None:
    signals = record()["signals"]
    signal = next(signal for signal in signals if signal["unit"] == "ratio")
    for worst, said in ((0.0, "No feed request"), (0.25, "At worst 25\u00a0% of feed requests")):
        signal["values"] = [0.0] * (len(signal["values"]) - 1) + [worst]
        rewrite(signals=signals)
        assert incident.at_worst(context, "INC-001", signal["name"], "feed request", opening=True) == said


def test_markup_in_a_record_is_escaped(context: SiteContext, rewrite: Rewrite) -> None:
    evil = "<script>alert(1)</script>"
    made = record()
    made["timeline"][0]["title"] = evil
    made["runbook"][0]["output"] = evil
    made["logs"][0]["event"] = evil
    made["signals"][0]["title"] = evil
    rewrite(**made)
    pages = [
        incident.timeline(context, "INC-001"), evidence.runbook_trace(context, "INC-001"),
        evidence.log_lines(context, "INC-001"), charts.chart(context, "INC-001", made["signals"][0]["name"]),
    ]  # fmt: skip
    assert not any("<script" in str(page) for page in pages)
    assert evil in text(pages[0]) or "alert(1)" in text(pages[0])
