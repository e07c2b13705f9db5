"""Records that pages read: a missing, damaged, stale or inconsistent one fails by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from made_record import at, record

from lab.drills.schema.record import parse
from lab.errors import LabError
from lab.paths import DOCS
from lab.site.sources.context import SiteContext
from lab.site.sources.records import Record
from lab.site.views import (
    detection,
    incident,
)

Rewrite = Callable[..., None]


def test_a_record_that_contradicts_itself_fails_the_build(context: SiteContext, rewrite: Rewrite) -> None:
    counts = record()["counts"]
    counts["feed-latency-p99"]["total"][60] = 81
    rewrite(counts=counts)
    with pytest.raises(LabError, match=r"docs/records/INC-001\.json contradicts itself: /counts/feed-latency-p99/tot"):
        detection.detection_proof(context)


def test_firing_spans_count_from_the_records_t0(context: SiteContext, rewrite: Rewrite) -> None:
    made = record()
    timeline = made["timeline"]
    inject = timeline[0] | {"at": at(3), "t_seconds": 3.0}  # a fault whose first change came three seconds in
    rewrite(timeline=[inject, *timeline[1:]])
    assert context.records.read("INC-001").firing_spans("FeedLatencyP99Burn") == [pytest.approx((24.2, 36.0))]


def test_a_missing_record_fails_with_the_command_that_records_it(context: SiteContext) -> None:
    (context.docs / "records" / "INC-001.json").unlink()
    with pytest.raises(LabError, match=r"docs/records/INC-001\.json does not exist; run 'fleetops drill run INC-001"):
        incident.timeline(context, "INC-001")


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_record_fails_by_name(context: SiteContext, content: str) -> None:
    (context.docs / "records" / "INC-001.json").write_text(content)
    with pytest.raises(LabError, match=r"INC-001|fleetops\.record"):
        incident.timeline(context, "INC-001")


def test_a_stale_record_fails_by_name_and_says_what_changed(context: SiteContext, rewrite: Rewrite) -> None:
    rewrite(inputs={"lab/drills/catalogue/INC-001.yml": "sha256:" + "0" * 64})
    with pytest.raises(LabError, match=r"INC-001\.json is stale: lab/drills/catalogue/INC-001\.yml changed"):
        incident.timeline(context, "INC-001")


def test_firing_spans_are_the_pages_or_the_tickets_without_a_page() -> None:
    page = record()["alerts"][0]
    ticket = page | {"severity": "ticket", "starts_at": at(28), "t_seconds": 28.0, "ends_at": None}
    for alerts, spans in (([ticket, page], [(24.2, 36.0)]), ([ticket], [(28.0, 90.0)])):
        made = Record("INC-001", "records/INC-001.json", parse(record() | {"alerts": alerts}))
        assert made.firing_spans("FeedLatencyP99Burn") == [pytest.approx(span) for span in spans]


def test_page_08_names_the_flag_that_a_drill_switches_and_the_one_that_none_does() -> None:
    page = (DOCS / "08_change_management.md").read_text()
    switched = {
        row.target for record in SiteContext().records for row in record.data.actions if row.action == "flag set"
    }
    assert "has `single-flight` switched on under load" in page
    assert "no drill switches `serve-stale` on" in page
    assert "single-flight" in switched
    assert "serve-stale" not in switched
