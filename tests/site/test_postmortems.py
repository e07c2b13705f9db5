"""Postmortems: who has one, what opens it, and that no number in it was typed by hand without a reason."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from made_record import record as made_record

from lab import units
from lab.drills.spec import alerts
from lab.drills.spec.drill import catalogue
from lab.errors import LabError, SpecError
from lab.paths import DOCS, RECORDS
from lab.site import macros
from lab.site.sources import postmortem_pages, register_files
from lab.site.sources.context import POSTMORTEMS, Book
from lab.site.sources.records import Record
from lab.site.views import charts, postmortems, registers, slo

PAGES = sorted((DOCS / POSTMORTEMS).glob("INC-*.md"))
FRONT = "---\ntitle: x\nstatus: reviewed\nauthors: [writer]\nreviewers: [reader]\n---\n"


def text(markup: object) -> str:
    return re.sub(r"\s*\n\s*| +", " ", html.unescape(re.sub(r"<[^>]+>", " ", str(markup))).replace(units.NBSP, " "))


def test_every_incident_whose_slo_pages_has_a_postmortem() -> None:
    for drill in catalogue():
        alert = drill.expect.alert and alerts.find(drill.expect.alert, drill.expect.severity)
        if alert and alert.severity == "page" and alert.sloth_id:
            assert Book().postmortem(drill.id), f"{drill.id} pages for {alert.sloth_id} and has no postmortem"


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.stem[:7])
def test_a_committed_postmortem_is_reviewed_opens_with_its_table_and_types_no_number(file: Path) -> None:
    page = file.read_text()
    assert postmortem_pages.signed(file, file.name).status == postmortem_pages.REVIEWED
    assert re.search(r'^# INC-\d{3}: .+\n\n\{\{ postmortem_head\("INC-\d{3}"\) \}\}\n\n## Summary$', page, re.MULTILINE)
    assert postmortem_pages.typed(page) == []
    assert set(re.findall(r'"(INC-\d{3})"', page)) == {file.name[:7]}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("p99 of INC-001 rose at T+{{ moment(1) }}, with a `502`, 5xx, N+1 and 1.1.0, [see](../04_x.md#a2)", []),
        ("1. The first cause, AI-001-4, SEV2", []),
        ("It failed 3 times in 14.4 s", ["3", "14.4"]),
        ("It was asked up to four times over two connections", ["four times", "two connections"]),
        ("one in ten, about a third", ["one in ten", "a third"]),
        ("in two steps, at half of the users", []),
        ("At 5 % <!-- typed: the objective of another system -->", []),
        ("At 5 % <!-- typed: -->", ["5"]),
    ],
)
def test_a_number_in_prose_is_found_where_it_was_typed(line: str, found: list[str]) -> None:
    assert postmortem_pages.typed(f"---\ntitle: x\n---\n\n```\n200\n```\n\n{line}\n") == [(9, one) for one in found]


def test_a_page_with_a_typed_number_does_not_build(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("It failed\n7 times\n")
    with pytest.raises(LabError, match="line 2 has '7' typed by hand"):
        postmortem_pages.require_no_typed(file, f"{POSTMORTEMS}/INC-001_x.md")
    postmortem_pages.require_no_typed(file, "04_capacity_planning.md")


def test_the_build_stops_at_a_typed_number_and_names_the_page(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    page = f"{POSTMORTEMS}/INC-001_x.md"
    (book.docs / page).write_text("It failed 7 times\n")
    with pytest.raises(LabError):
        macros.on_post_page_macros(
            cast("macros.Environment", SimpleNamespace(book=book, page=SimpleNamespace(path=page)))
        )
    assert capsys.readouterr().err.startswith(f"site: docs/{page}: line 1 has '7' typed by hand")


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (lambda page: page.replace("reviewed", "final"), "status must be one of draft, reviewed"),
        (lambda page: page.replace("[writer]", "writer"), "authors must be a list of roles"),
        (lambda page: page.replace("reviewers: [reader]\n", ""), "reviewers must be a list of roles"),
        (lambda page: page.replace("reader", "writer"), "reviewers names 'writer', which is an author"),
        (lambda page: page.replace("[writer]", "[writer"), "its front matter cannot be read"),
        (lambda _: "# No front matter\n", "has no front matter"),
    ],
)
def test_what_a_person_says_of_a_postmortem_is_checked(
    tmp_path: Path, change: Callable[[str], str], refused: str
) -> None:
    file = tmp_path / "page.md"
    file.write_text(change(FRONT))
    with pytest.raises(LabError, match=f"docs/x.md: {refused}"):
        postmortem_pages.signed(file, "docs/x.md")


def paged(book: Book, **changes: object) -> Book:
    (book.docs / "records" / "INC-001.json").write_text(json.dumps(made_record() | changes))
    (book.docs / POSTMORTEMS / "INC-001_x.md").write_text(FRONT)
    return replace(book, page=lambda: f"{POSTMORTEMS}/INC-001_x.md")


def test_the_opening_table_reads_all_but_status_and_roles_from_the_record(book: Book) -> None:
    shown = text(postmortems.postmortem_head(paged(book), "INC-001"))
    spent = made_record()["budget"]["feed-latency-p99"]
    for part in (
        "Status reviewed", "Severity SEV2", "Date 2026-01-02 03:04 UTC",
        "Duration 33 s, from the fault to the recovery (lab time, 60x)", "Authors writer", "Reviewers reader",
        "Users hit 410 of 900 who used the feed service (45.6 %)",
        f"Requests hit {units.number(spent['bad_events'])} of {units.number(spent['total_events'])} counted by",
        "Error budget spent",
    ):  # fmt: skip
        assert part in shown, part


def test_the_duration_ends_with_the_alert_where_no_slo_was_at_stake() -> None:
    times = made_record()["durations"]
    for users, mttr, said in (
        ({"asked": 1, "hit": 1}, 33.0, "33 s, from the fault to the recovery"),
        ({"asked": 1, "hit": 1}, None, "no recovery in the record"),
        (None, None, "36 s, from the fault to the resolved alert"),
    ):
        data = made_record() | {"users": users, "durations": {**times, "mttr_seconds": mttr}}
        assert said in text(postmortems._duration(Record("INC-001", "", data)))


def test_a_drill_value_has_its_unit_and_one_that_is_not_there_is_named(book: Book) -> None:
    assert text(postmortems.drill_value(book, "INC-001", "fault.steps.0.weight_percent")) == "5 %"
    assert postmortems.drill_value(book, "INC-007", "load.0.settings.0") == "2"
    assert text(postmortems.drill_value(book, "INC-007", "load.1.extra_delay_seconds")) == "25 ms"
    with pytest.raises(LabError, match=r"INC-007 has no 'load\.9': no '9' there"):
        postmortems.drill_value(book, "INC-007", "load.9")
    with pytest.raises(LabError, match="is not a number"):
        postmortems.drill_value(book, "INC-007", "fault.kind")
    assert text(slo.page_floor(book, "feed-latency-p99")) == "6 %"


@pytest.mark.parametrize("title", ["Load: it does not relent", "Burn rate; it fires here"])
def test_a_charts_title_names_or_asks_and_does_not_claim(book: Book, title: str) -> None:
    with pytest.raises(LabError, match="claims something"):
        charts.chart(book, "INC-001", "feed_p99_seconds", title=title)
    assert "figure" in charts.chart(book, "INC-001", "feed_p99_seconds", title="Load: does it relent?")


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (("  priority: P1\n", ""), r"items\.yml:\d+: .*priority is missing"),
        (("priority: P1", "priority: P0"), r"items\.yml:8: .*'P0' is none of P1, P2, P3"),
        (("  due: 2026-12-31\n", ""), r"due is missing"),
        (("due: 2026-12-31", "due: 2026-02-30"), r"items\.yml:9: .*'2026-02-30' is not a date such as 2026-12-31"),
        (("due: 2026-12-31", "due: soon"), r"items\.yml:9: .*'soon' is not a date"),
    ],
)
def test_an_action_item_without_priority_or_due_date_is_refused_by_its_line(
    tmp_path: Path, change: tuple[str, str], refused: str
) -> None:
    file = tmp_path / "items.yml"
    row = (
        "# Items\n- id: AI-1\n  incident: INC-001\n  type: detect\n  text: x\n  owner: x\n  status: open\n"
        "  priority: P1\n  due: 2026-12-31\n  proof: x\n"
    )
    file.write_text(row)
    assert register_files.action_items(file)[0].due.year == 2026
    file.write_text(row.replace(*change))
    with pytest.raises(SpecError, match=refused):
        register_files.action_items(file)


def recorded(ident: str) -> date:
    return date.fromisoformat(json.loads((RECORDS / f"{ident}.json").read_text())["started_at"][:10])


def test_an_action_item_is_due_within_the_time_of_its_priority() -> None:
    for item in register_files.action_items():
        latest = recorded(item.incident) + timedelta(register_files.PRIORITIES[item.priority].days)
        assert item.due <= latest, f"{item.id} is {item.priority} and due after {latest}"


def test_no_open_action_item_was_overdue_when_the_newest_record_was_made() -> None:
    newest = max(recorded(file.stem) for file in RECORDS.glob("INC-*.json"))
    overdue = [one.id for one in register_files.action_items() if one.status == "open" and one.due < newest]
    assert not overdue


def test_action_items_show_priority_and_due_date(book: Book) -> None:
    shown = text(registers.action_items(book, "INC-001"))
    assert "P1 2026-12-11" in shown
    meanings = text(registers.priority_table(book))
    assert all(one.means in meanings and f"{one.days} days" in meanings for one in register_files.PRIORITIES.values())
