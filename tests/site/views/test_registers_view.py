"""Risks and action items on pages."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from support import text

from lab.errors import LabError
from lab.paths import DOCS
from lab.site.sources import register_files
from lab.site.sources.context import SiteContext
from lab.site.views import registers


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
    context: SiteContext, monkeypatch: pytest.MonkeyPatch, given: str, change: dict[str, str], message: str
) -> None:
    risks = [replace(risk, **change) if risk.id == given else risk for risk in register_files.risks()]
    monkeypatch.setattr(register_files, "risks", lambda: risks)
    with pytest.raises(LabError, match=message):
        registers.risk_table(context)


def test_the_index_of_postmortems_lists_open_items_under_open_and_done_ones_under_done() -> None:
    page = (DOCS / "06_postmortems" / "index.md").read_text()
    lists = re.findall(r"^### (\w+)\n[^#]*\{\{ action_items\((.*)\) \}\}", page, re.MULTILINE)
    assert lists == [("Open", 'status="open"'), ("Done", 'status="done"')]


def test_action_items_show_priority_and_due_date(context: SiteContext) -> None:
    shown = text(registers.action_items(context, "INC-001"))
    assert re.search(r"P2\s+2027-01-29", shown)
    meanings = text(registers.priority_table(context))
    assert all(
        priority.means in meanings and f"{priority.days} days" in meanings
        for priority in register_files.PRIORITIES.values()
    )


def test_an_item_that_is_done_shows_no_due_date_and_identifiers_are_code(context: SiteContext) -> None:
    done = str(registers.action_items(context, "INC-001", "done"))
    assert not re.search(r">20\d\d-\d\d-\d\d<", done)
    shown = str(registers.action_items(context, "INC-006")).replace("<wbr>", "")
    assert re.search(r"<code[^>]*>lock_timeout</code>", shown)


def test_no_identifier_in_an_action_item_is_set_as_prose() -> None:
    identifier = re.compile(r"\b[a-z]+_[a-z_]+\b|\bfleetops \w|(?<!\w)/[a-z]+")
    found = [
        f"{item.id}: {hit[0]}"
        for item in register_files.action_items()
        for prose in (*item.text.split("`")[::2], *item.proof.split("`")[::2])
        if (hit := identifier.search(re.sub(r"\b(?:tests|rules)/\S+", "", prose)))
    ]
    assert not found
