"""Postmortem pages: which incidents need one, their front matter, and numbers typed into prose."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from lab.drills.spec import alerts
from lab.drills.spec.drill import catalogue
from lab.errors import LabError
from lab.paths import DOCS
from lab.site import macros
from lab.site.sources import postmortem_pages
from lab.site.sources.context import POSTMORTEMS, SiteContext

PAGES = sorted((DOCS / POSTMORTEMS).glob("INC-*.md"))


FRONT = "---\ntitle: x\nstatus: reviewed\nauthors: [writer]\nreviewers: [reader]\n---\n"


def test_every_incident_whose_slo_pages_has_a_postmortem() -> None:
    for drill in catalogue():
        alert = drill.expect.alert and alerts.find(drill.expect.alert, drill.expect.severity)
        if alert and alert.severity == "page" and alert.sloth_id:
            assert SiteContext().postmortem(drill.id), f"{drill.id} pages for {alert.sloth_id} and has no postmortem"


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.stem[:7])
def test_a_committed_postmortem_is_reviewed_starts_with_its_table_and_has_no_typed_number(file: Path) -> None:
    page = file.read_text()
    assert postmortem_pages.front_matter(file, file.name).status == postmortem_pages.REVIEWED
    assert re.search(r'^# INC-\d{3}: .+\n\n\{\{ postmortem_head\("INC-\d{3}"\) \}\}\n\n## Summary$', page, re.MULTILINE)
    assert postmortem_pages.typed_numbers(page) == []
    assert set(re.findall(r'"(INC-\d{3})"', page)) == {file.name[:7]}


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        ("p99 of INC-001 rose at T+{{ moment(1) }}, with a `502`, 5xx, N+1 and 1.1.0, [see](../04_x.md#a2)", []),
        ("1. The first cause, AI-001-4, SEV2", []),
        ("It failed 3 times in 14.4 s", ["3", "14.4"]),
        ("It was asked up to four times over two connections", ["four times", "two connections"]),
        ("one in ten, about a third", ["one in ten", "a third"]),
        ("in steps, at half of the users", []),
        ("Three alerts told two replicas, three an item", ["Three alerts", "two replicas", "three an item"]),
        ("At 5 % <!-- typed: the objective of another system -->", []),
        ("At 5 % <!-- typed: -->", ["5"]),
    ],
)
def test_a_number_typed_into_prose_is_found_with_its_line(line: str, numbers: list[str]) -> None:
    assert postmortem_pages.typed_numbers(f"---\ntitle: x\n---\n\n```\n200\n```\n\n{line}\n") == [
        (9, number) for number in numbers
    ]


def test_a_page_with_a_typed_number_does_not_build(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("It failed\n7 times\n")
    with pytest.raises(LabError, match="line 2 has '7' typed by hand"):
        postmortem_pages.require_no_typed_number(file, f"{POSTMORTEMS}/INC-001_x.md")
    postmortem_pages.require_no_typed_number(file, "04_capacity_planning.md")


def test_a_typed_number_stops_the_build_with_the_name_of_the_page(
    context: SiteContext, capsys: pytest.CaptureFixture[str]
) -> None:
    page = f"{POSTMORTEMS}/INC-001_x.md"
    (context.docs / page).write_text("It failed 7 times\n")
    with pytest.raises(LabError):
        macros.on_post_page_macros(
            cast("macros.Environment", SimpleNamespace(site_context=context, page=SimpleNamespace(path=page)))
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
def test_the_front_matter_of_a_postmortem_is_checked(
    tmp_path: Path, change: Callable[[str], str], refused: str
) -> None:
    file = tmp_path / "page.md"
    file.write_text(change(FRONT))
    with pytest.raises(LabError, match=f"docs/x.md: {refused}"):
        postmortem_pages.front_matter(file, "docs/x.md")
