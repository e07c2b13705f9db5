"""Macros without MkDocs: what a page gets is what the source says."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from made_record import INSTANTS, at, record
from support import text

from lab import names
from lab.errors import LabError
from lab.oncall import escalation
from lab.paths import DOCS, RULES
from lab.site.sources import register_files
from lab.site.sources.context import Book
from lab.site.sources.records import Record
from lab.site.views import (
    charts,
    detection,
    drill_catalogue,
    evidence,
    incident,
    oncall,
    registers,
    rules,
    services,
    slo,
)
from lab.slo import load_rules
from lab.slo.burn_rate import detection_seconds


def rewrite(book: Book, **changes: Any) -> None:
    (book.docs / "records" / "INC-001.json").write_text(json.dumps(record() | changes))


def test_the_rule_on_a_page_is_the_rule_in_the_file_to_the_character(book: Book) -> None:
    for profile in ("lab", "production"):
        shown = str(rules.alert_rule(book, "FeedLatencyP99Burn", profile))
        blocks = [html.unescape(re.sub(r"<[^>]+>", "", block)) for block in re.findall(r"<pre.*?</pre>", shown, re.S)]
        source = (RULES / profile / "feed.rules.yml").read_text()
        assert len(blocks) == 2  # the page and the ticket
        for block in blocks:
            indented = "\n".join(f"      {line}" if line else line for line in block.splitlines())
            assert indented in source


def test_each_rule_of_the_lab_says_what_stands_for_it_in_production(book: Book) -> None:
    """A generated rule of its own, or the lab rule's own windows times the factor; never both."""
    assert "In production: its own rule" in text(rules.alert_rule(book, "FeedLatencyP99Burn"))
    shown = text(rules.alert_rule(book, "RetryRatioHigh"))
    assert re.search(r"windows times 60:\s+5s\s+as\s+5m\s+,\s+15s\s+as\s+15m", shown)
    assert "For the lab only, without a window" in text(rules.alert_rule(book, "Watchdog"))
    produced = {part.name for part in book.rule_files.alerts("production")}
    for name in book.rule_files.names():
        assert ("For the lab only" in text(rules.alert_rule(book, name))) == (name not in produced)


def test_every_rule_of_the_lab_opens_in_its_prometheus(book: Book) -> None:
    """The link holds the rule's own expression; production's rules are loaded by no lab and have none."""
    shown = str(rules.slo_rules(book, "feed-latency-p99"))
    asked = [
        parse_qs(urlsplit(html.unescape(href)).query)["g0.expr"][0] for href in re.findall('href="([^"]+)"', shown)
    ]
    loaded = [rule for rule in load_rules("lab") if rule["group"].startswith("slo-feed-latency-p99")]
    assert asked == [rule["expr"] for rule in loaded]
    assert "href" not in str(rules.slo_rules(book, "feed-latency-p99", "production"))
    assert "http://127.0.0.1:8090/graph" in str(rules.alert_rule(book, "FeedLatencyP99Burn"))


def test_a_detection_is_shown_as_predicted_computed_and_measured_and_drawn(book: Book) -> None:
    shown = text(detection.detection_proof(book))
    assert re.search(r"INC-001\s+FeedLatencyP99Burn\s+page.quick\s+22.3 s\s+24 s\s+24.2 s\s+48.5 %\s+48.8 %", shown)
    drawn = str(detection.detection_proof(book))
    assert drawn.count("<title>INC-001: predicted 22.3\u00a0s, ") == 2
    rewrite(book, prediction=record()["prediction"] | {"bound": True})
    drawn = str(detection.detection_proof(book))
    assert "no later than 22.3\u00a0s" in drawn and 'class="dot dot--bound" cx="' in drawn


def test_a_record_that_does_not_prove_itself_builds_no_page(book: Book) -> None:
    counts = record()["counts"]
    counts["feed-latency-p99"]["total"][60] = 81
    rewrite(book, counts=counts)
    with pytest.raises(
        LabError, match=r"docs/records/INC-001\.json does not prove itself: /counts/feed-latency-p99/tot"
    ):
        detection.detection_proof(book)


def test_the_mitigation_is_the_change_that_the_record_grades(book: Book) -> None:
    """An action before it is on the timeline, and is no T6."""
    made = record()
    early = made["timeline"][5] | {"kind": "action", "t_seconds": 26.0, "at": at(26.0), "title": "Made up: early"}
    action = made["actions"][0] | {"action": "service restart", "old": None, "new": None, "at": at(26.0)}
    early["evidence"] = {"pointer": "/actions/1"}
    rewrite(book, timeline=[*made["timeline"], early], actions=[*made["actions"], action])
    assert incident.moment(book, "INC-001", "action") == "27.6\u00a0s"
    assert [mark.at_seconds for mark in book.records.read("INC-001").marks() if mark.label == "T6"] == [27.6]


def test_time_zero_is_the_records_and_a_band_is_drawn_where_the_alert_fired(book: Book) -> None:
    made = record()
    timeline = made["timeline"]
    inject = timeline[0] | {"at": at(3), "t_seconds": 3.0}  # a fault whose first change came three seconds in
    rewrite(book, timeline=[inject, *timeline[1:]])
    assert book.records.read("INC-001").firing_spans("FeedLatencyP99Burn") == [pytest.approx((24.2, 36.0))]


def test_a_signal_without_a_sample_before_the_fault_has_no_usual_value(book: Book) -> None:
    signals = record()["signals"]
    for signal in signals:
        if signal["name"] == "feed_canary_p99_seconds":
            signal["values"] = [None] * 40 + signal["values"][40:]
    rewrite(book, signals=signals)
    assert incident.before(book, "INC-001", "feed_canary_p99_seconds") == "no data"
    assert "no data before the fault" in text(charts.chart(book, "INC-001", "feed_canary_p99_seconds"))


def test_an_unknown_alert_is_refused_with_the_ones_there_are(book: Book) -> None:
    with pytest.raises(LabError, match=r"'Nonesuch'.*FeedLatencyP99Burn"):
        rules.alert_rule(book, "Nonesuch")


def test_every_slo_is_in_the_table_with_its_budget(book: Book) -> None:
    shown = text(slo.slo_table(book))
    assert all(name in shown for name in ("feed availability", "user latency p99"))
    assert "99.95 %" in shown
    assert "43 min 12 s" in shown  # 0.1 % of 30 days
    assert "successful, slower than 400 ms" in shown


def test_the_detection_table_is_the_arithmetic_and_shows_what_never_fires(book: Book) -> None:
    tier = book.slos.production.tiers[0]
    shown = text(slo.detection_table(book))
    assert detection_seconds(tier, 0.001, 1.0) == pytest.approx(51.84)
    assert "51.8 s" in shown
    assert "never" in shown


def test_the_lab_shows_production_time_divided_by_its_factor(book: Book) -> None:
    assert slo.factor(book) == "60x"
    assert slo.detection(book, "feed-latency-p99", 50, "lab").replace("\u00a0", " ") == "17.3 s"
    assert slo.detection(book, "feed-latency-p99", 50).replace("\u00a0", " ") == "17 min 17 s"
    assert slo.detection(book, "feed-latency-p99", 1) == "never"


def test_a_production_time_is_computed_with_productions_windows_and_never_a_lab_time_multiplied(book: Book) -> None:
    """INC-001: 4.85 % of feeds late for 5 s, then 48.5 %; 3,600 s x 14.4 x 1 % are 518.4 bad seconds."""
    assert slo.production_time(book, "INC-001").replace("\u00a0", " ") == "17 min 54 s"
    for ident, why in (("D0", "no drill with an SLO at stake"), ("INC-999", "no drill with an SLO at stake")):
        with pytest.raises(LabError, match=f"{ident}: {why}"):
            slo.production_time(book, ident)


def test_the_tail_of_the_slow_tier_after_ten_minutes_of_outage_is_told(book: Book) -> None:
    assert slo.tail(book, "feed-availability", 600).replace("\u00a0", " ") == "29 min 49 s"
    assert slo.tail(book, "feed-availability", 60).replace("\u00a0", " ") == "0 ms"


def test_the_timeline_has_every_event_of_the_record_in_order_and_leads_to_the_chart(book: Book) -> None:
    shown = str(incident.timeline(book, "INC-001", "feed_p99_seconds"))
    places = [shown.index(f"Made up: {kind}") for kind in INSTANTS]
    assert places == sorted(places)
    assert 'href="#chart-inc-001-feed-p99-seconds-t3"' in shown
    chart = str(charts.chart(book, "INC-001", "feed_p99_seconds"))
    assert 'id="chart-inc-001-feed-p99-seconds-t3"' in chart


def test_a_chart_carries_summary_data_query_and_the_factor(book: Book) -> None:
    shown = str(charts.chart(book, "INC-001", "feed_p99_seconds"))
    assert "objective 400" in text(shown)
    assert "Lab time, 60x" in text(shown)
    assert "Data table" in shown
    assert "histogram_quantile" in text(shown)
    assert 'role="img"' in shown


def test_sentences_take_their_numbers_from_the_record(book: Book) -> None:
    def plain(value: str) -> str:
        return value.replace("\u00a0", " ")

    assert plain(incident.moment(book, "INC-001", "page")) == "25.4 s"
    assert plain(incident.between(book, "INC-001", "page", "ack")) == "0.5 s"
    assert incident.recorded_day(book, "INC-001") == "2026-01-02"
    assert incident.fact(book, "INC-001", "lab.cores") == "2"


def test_text_of_a_record_stays_text(book: Book) -> None:
    evil = "<script>alert(1)</script>"
    made = record()
    made["timeline"][0]["title"] = evil
    made["runbook"][0]["output"] = evil
    made["logs"][0]["event"] = evil
    made["signals"][0]["title"] = evil
    rewrite(book, **made)
    pages = [
        incident.timeline(book, "INC-001"), evidence.runbook_trace(book, "INC-001"),
        evidence.log_lines(book, "INC-001"), charts.chart(book, "INC-001", made["signals"][0]["name"]),
    ]  # fmt: skip
    assert not any("<script" in str(page) for page in pages)
    assert evil in text(pages[0]) or "alert(1)" in text(pages[0])


def test_a_missing_record_fails_by_name_and_says_how_to_make_it(book: Book) -> None:
    (book.docs / "records" / "INC-001.json").unlink()
    with pytest.raises(LabError, match=r"docs/records/INC-001\.json does not exist; run 'fleetops drill run INC-001"):
        incident.timeline(book, "INC-001")


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_record_fails_by_name(book: Book, content: str) -> None:
    (book.docs / "records" / "INC-001.json").write_text(content)
    with pytest.raises(LabError, match=r"INC-001|fleetops\.record"):
        incident.timeline(book, "INC-001")


def test_a_stale_record_fails_by_name_and_says_what_changed(book: Book) -> None:
    rewrite(book, inputs={"lab/drills/catalogue/INC-001.yml": "sha256:" + "0" * 64})
    with pytest.raises(LabError, match=r"INC-001\.json is stale: lab/drills/catalogue/INC-001\.yml changed"):
        incident.timeline(book, "INC-001")


def test_the_band_of_a_chart_is_the_page_and_the_ticket_only_where_nobody_was_paged() -> None:
    page = record()["alerts"][0]
    ticket = page | {"severity": "ticket", "starts_at": at(28), "t_seconds": 28.0, "ends_at": None}
    for alerts, spans in (([ticket, page], [(24.2, 36.0)]), ([ticket], [(28.0, 90.0)])):
        made = Record("INC-001", "records/INC-001.json", record() | {"alerts": alerts})
        assert made.firing_spans("FeedLatencyP99Burn") == [pytest.approx(span) for span in spans]


def test_an_unknown_signal_is_refused_with_the_ones_there_are(book: Book) -> None:
    with pytest.raises(LabError, match=r"'feed_p98'.*feed_p99_seconds"):
        charts.chart(book, "INC-001", "feed_p98")


def test_only_last_exercised_may_say_that_there_is_no_record(book: Book) -> None:
    assert "2026-01-02" in text(drill_catalogue.last_exercised(book, "FeedLatencyP99Burn"))
    assert "not yet recorded" in text(drill_catalogue.last_exercised(book, "UserLatencyP99Burn"))
    (book.docs / "records" / "INC-001.json").unlink()
    assert "not yet recorded" in text(drill_catalogue.last_exercised(Book(docs=book.docs), "FeedLatencyP99Burn"))


def test_every_drill_flag_and_risk_is_listed(book: Book) -> None:
    assert "INC-001" in text(drill_catalogue.drill_table(book))
    assert "D0" in text(drill_catalogue.drill_table(book))
    assert all(flag in text(services.flag_table(book)) for flag in ("canary", "feed", "profile-writes"))
    assert "R-01" in text(registers.risk_table(book))
    assert "AI-001-4" in text(registers.action_items(book, "INC-001"))


@pytest.mark.parametrize(
    ("given", "change", "message"),
    [
        ("R-12", {"drill": "INC-001"}, r"R-12 names drill 'INC-001', which does not have to raise"),
        ("R-12", {"drill": "INC-018"}, r"R-12 names drill 'INC-018'"),
        ("R-15", {"drill": ""}, r"R-15 names no drill, and INC-005 must raise its DatabaseIndexMissing"),
        ("R-05", {"alert": "GatewayGone"}, r"R-05 names alert 'GatewayGone', which no rule file has"),
    ],
)
def test_a_risk_is_proven_by_a_drill_that_must_raise_its_alert(
    book: Book, monkeypatch: pytest.MonkeyPatch, given: str, change: dict[str, str], message: str
) -> None:
    risks = [replace(risk, **change) if risk.id == given else risk for risk in register_files.risks()]
    monkeypatch.setattr(register_files, "risks", lambda: risks)
    with pytest.raises(LabError, match=message):
        registers.risk_table(book)


def test_an_objective_that_is_no_bucket_edge_is_refused_by_its_spec(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert services.objective_edges(book).replace("\u00a0", " ") == "150 ms, 200 ms, 300 ms and 400 ms"
    edges = tuple(edge for edge in names.LATENCY_BUCKETS_SECONDS if edge != 0.4)
    monkeypatch.setattr(names, "LATENCY_BUCKETS_SECONDS", edges)
    with pytest.raises(LabError, match=r"feed\.yml: feed-latency-p99 is held to 0\.4 s"):
        services.objective_edges(book)


def test_the_playbook_says_when_and_to_whom_the_pager_escalates_from_the_pagers_own_policy(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(escalation, "AFTER_SECONDS", 420.0)
    monkeypatch.setattr(escalation, "TO", "third on-call")
    assert (text(oncall.escalation_after(book)), oncall.escalation_to(book)) == ("7 min", "third on-call")
    playbook = (DOCS / "07_oncall_playbook.md").read_text(encoding="utf-8")
    promised = "| {{ escalation_after() }} without an acknowledgement | {{ escalation_to() }} | the pager, by itself |"
    assert promised in playbook
    assert re.findall(r"\b(?:5 min|(?:within|after) five minutes)\b", playbook) == []
