"""The register of action items: refused rows and due dates."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from lab.errors import SpecError
from lab.paths import RECORDS
from lab.site.sources import register_files


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (("  priority: P1\n", ""), r"items\.yml:\d+: .*priority is missing"),
        (("priority: P1", "priority: P0"), r"items\.yml:8: .*'P0' must be one of P1, P2, P3"),
        (("  due: 2026-12-31\n", ""), r"due is missing"),
        (("due: 2026-12-31", "due: 2026-02-30"), r"items\.yml:9: .*'2026-02-30' is not a date such as 2026-12-31"),
        (("status: open", "status: done"), r"items\.yml:9: .*done has no due date"),
        (("due: 2026-12-31", "due: soon"), r"items\.yml:9: .*'soon' is not a date"),
    ],
)
def test_an_action_item_without_a_valid_priority_and_due_date_is_refused_by_its_line(
    tmp_path: Path, change: tuple[str, str], refused: str
) -> None:
    file = tmp_path / "items.yml"
    row = (
        "# Items\n- id: AI-1\n  incident: INC-001\n  type: detect\n  text: x\n  owner: x\n  status: open\n"
        "  priority: P1\n  due: 2026-12-31\n  proof: x\n"
    )
    file.write_text(row)
    assert register_files.action_items(file)[0].due == date(2026, 12, 31)
    file.write_text(row.replace(*change))
    with pytest.raises(SpecError, match=refused):
        register_files.action_items(file)


def recorded(ident: str) -> date:
    return date.fromisoformat(json.loads((RECORDS / f"{ident}.json").read_text())["started_at"][:10])


def test_an_action_item_is_due_within_the_time_of_its_priority() -> None:
    for item in register_files.action_items():
        if item.due is None:
            continue
        incident = recorded(item.incident)
        latest = incident + timedelta(register_files.PRIORITIES[item.priority].days)
        assert item.due <= latest, f"{item.id} is {item.priority} and due after {latest}"
        assert item.due >= incident, f"{item.id} is due before its incident of {incident}"


def test_no_open_action_item_was_overdue_when_the_newest_record_was_made() -> None:
    newest = max(recorded(file.stem) for file in RECORDS.glob("INC-*.json"))
    overdue = [item.id for item in register_files.action_items() if item.due and item.due < newest]
    assert not overdue
