"""Shared branches of the runbook: written once, read in every section that includes them, refused by file and line."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from lab.drills.runbook.includes import page_lines
from lab.drills.runbook.outline import Block
from lab.drills.runbook.parser import Section, sections
from lab.errors import SpecError
from lab.paths import RUNBOOKS

PAGE = """# Runbooks

## FeedSlow

### 1. {{ branch("A $service replica is down", recovered="FeedSlow", service="feed") }}

**Escalate.** To the feed team.

## TargetDown

### 1. {{ branch("A $service replica is down", recovered="", service="user") }}

### 2. The gateway is down

``` { .bash .check }
fleetops query 'up{job="gateway"} == 0'
```

``` { .bash .mitigate }
fleetops service restart gateway
```

``` { .bash .validate }
{{ recovered("FeedSlow") }}
```
"""

SHARED = """# Shared branches

## A $service replica is down

The others carry its load.

``` { .bash .check }
fleetops triage $service --is replica-down
```

``` { .bash .mitigate }
fleetops service restart $service
```

``` { .bash .validate }
fleetops query 'min(up{job="$service"}) == 1' --wait 60
$recovered
```

# Commands that verify a recovery

## FeedSlow

``` { .bash .validate }
fleetops query 'absent(ALERTS{alertname="FeedSlow"})' --wait 60
```
"""


ALONE = "an include must be alone on its line"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return written(tmp_path)


def written(folder: Path, page: str = PAGE, shared: str = SHARED) -> Path:
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "templates" / "03_runbooks.md").write_text(shared)
    (folder / "03_runbooks.md").write_text(page)
    return folder / "03_runbooks.md"


def test_every_section_has_the_shared_branch_in_full_with_its_own_values(page: Path) -> None:
    feed, target = sections(page)
    (branch,) = feed.branches()
    assert (branch.number, branch.title) == (1, "A feed replica is down")
    assert branch.check == ("fleetops triage feed --is replica-down",)
    assert branch.mitigate == ("fleetops service restart feed",)
    assert branch.validate == (
        "fleetops query 'min(up{job=\"feed\"}) == 1' --wait 60",
        "fleetops query 'absent(ALERTS{alertname=\"FeedSlow\"})' --wait 60",
    )
    assert target.branches()[0].validate == ("fleetops query 'min(up{job=\"user\"}) == 1' --wait 60",)
    assert target.branches()[1].validate == ("fleetops query 'absent(ALERTS{alertname=\"FeedSlow\"})' --wait 60",)


def test_a_section_is_hashed_as_it_is_read(tmp_path: Path) -> None:
    before = {section.anchor: section.sha256 for section in sections(written(tmp_path))}
    assert "### 1. A feed replica is down\n\nThe others carry its load.\n" in sections(written(tmp_path))[0].text
    both = {
        section.anchor: section.sha256
        for section in sections(written(tmp_path, shared=SHARED.replace("carry", "share")))
    }
    assert [anchor for anchor in before if both[anchor] != before[anchor]] == ["feedslow", "targetdown"]
    other = sections(written(tmp_path, PAGE.replace('service="user"', 'service="feed"')))
    assert [section.anchor for section in other if section.sha256 != before[section.anchor]] == ["targetdown"]


def test_a_line_of_the_page_knows_where_it_is_written(page: Path) -> None:
    shared = page.parent / "templates" / page.name
    found = {line.text: (line.file, line.number) for line in page_lines(page)}
    assert found["### 1. A feed replica is down"] == (page, 5)
    assert found["fleetops service restart feed"] == (shared, 12)
    assert found["fleetops query 'absent(ALERTS{alertname=\"FeedSlow\"})' --wait 60"] == (shared, 25)
    assert found["### 2. The gateway is down"] == (page, 13)


@pytest.mark.parametrize(
    ("old", "new", "line", "named"),
    [
        ('branch("A $service', 'branch("A $servce', 5, "no 'A $servce replica is down'; did you mean 'A $service"),
        ('recovered("FeedSlow")', 'recovered("Feed")', 24, "03_runbooks.md has no 'Feed'; did you mean 'FeedSlow'?"),
        ('recovered("FeedSlow")', 'recovered("# Shared branches")', 24, "has no '# Shared branches'"),
        (', service="feed") }}', ") }}", 5, "give a value for service"),
        (', recovered="FeedSlow"', "", 5, "give a value for recovered"),
        ('service="feed"', 'service="feed", zone="b"', 5, "unknown value for $zone"),
        ('service="feed") }}', 'service="feed") }} first', 5, ALONE),
        ('{{ recovered("FeedSlow")', 'fleetops status {{ recovered("FeedSlow")', 24, ALONE),
        ('{{ recovered("FeedSlow")', '{{- recovered("FeedSlow")', 24, ALONE),
        ('service="feed")', 'service="feed"', 5, ALONE),
        ('service="feed")', "service=feed)", 5, "'feed' is undefined"),
        ('service="feed")', 'service="feed"))', 5, "unexpected ')'"),
        ("### 1. {{", "### 2. {{", 5, "branch 2 where 1 was expected"),
    ],
)
def test_a_wrong_include_is_refused_by_the_line_of_the_page(
    tmp_path: Path, old: str, new: str, line: int, named: str
) -> None:
    page = written(tmp_path, PAGE.replace(old, new, 1))
    with pytest.raises(SpecError, match=re.escape(named)) as refused:
        _ = [section.branches() for section in sections(page)]
    assert (refused.value.file, refused.value.line) == (str(page), line)


@pytest.mark.parametrize(
    ("old", "new", "line", "named"),
    [
        (
            "# Commands that",
            "## An index is missing\n\n# Commands that",
            20,
            "no section includes 'An index is missing'",
        ),
        ("# Commands that", "## FeedSlow\n\n# Commands that", 24, "the part 'FeedSlow' is defined twice"),
        ("carry its load.", "cost $ 5.", 5, "write '$$' for a literal '$'"),
        ("restart $service", "restart $service && reboot", 12, "needs a shell"),
        (" .mitigate }", " .mend }", 11, "'mend' block"),
    ],
)
def test_a_wrong_shared_branch_is_refused_by_the_line_of_the_shared_file(
    tmp_path: Path, old: str, new: str, line: int, named: str
) -> None:
    page = written(tmp_path, shared=SHARED.replace(old, new, 1))
    with pytest.raises(SpecError, match=re.escape(named)) as refused:
        _ = [section.branches() for section in sections(page)]
    assert (refused.value.file, refused.value.line) == (str(page.parent / "templates" / page.name), line)


def test_a_recovery_without_a_command_is_refused(tmp_path: Path) -> None:
    page = written(tmp_path, shared=re.sub(r"fleetops query 'absent.*\n", "", SHARED))
    with pytest.raises(SpecError, match=r"03_runbooks\.md:5: .*'FeedSlow' in templates/03_runbooks\.md has no command"):
        sections(page)


def test_a_page_without_a_shared_file_is_read_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "03_runbooks.md"
    page.write_text("# Runbooks\n\n## FeedSlow\n")
    assert [line.text for line in page_lines(page)] == ["# Runbooks", "", "## FeedSlow", ""]


def checks(section: Section) -> list[tuple[tuple[str, ...], tuple[Path, int]]]:
    """The check and mitigate commands of each branch, and where its check is written."""
    blocks = [part for part in section.parts if isinstance(part, Block) and "check" in part.classes]
    places = [(section.page[block.line].file, section.page[block.line].number) for block in blocks]
    commands = [branch.check + branch.mitigate for branch in section.branches()]
    return list(zip(commands, places, strict=True))


def test_no_two_branches_of_the_page_are_written_twice() -> None:
    places: dict[tuple[str, ...], set[tuple[Path, int]]] = defaultdict(set)
    for section in sections(RUNBOOKS):
        for commands, place in checks(section):
            places[commands].add(place)
    twice = [sorted(f"{file.name}:{line}" for file, line in found) for found in places.values() if len(found) > 1]
    assert twice == []
