"""The runbook page is a program: what the autopilot would run, and that all of it exists."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import click
import mkdocs.config
import pytest
import yaml
from markdown import Markdown
from mkdocs.utils.meta import get_data

from lab.cli import main
from lab.control.triage import CAUSES
from lab.drills.runbook.command_line import arguments
from lab.drills.runbook.parser import find, sections
from lab.errors import SpecError
from lab.paths import ROOT, RULES, RUNBOOKS

pytestmark = pytest.mark.batch

GOOD = """# Page

## FeedSlow

Text, and a block that is no step:

```
## NotASection
### 1. Not a branch
```

### 1. The canary

``` { .bash .check }
fleetops triage feed --is canary
```

``` { .bash .mitigate }
# a comment
fleetops canary weight 0
fleetops flag set canary off
```

``` { .bash .validate }
fleetops query 'up{job="feed"} == 1' --wait 10
```

## Other
"""


SITE = "http://127.0.0.1:8000"
FEED_SLOW = f"{SITE}/03_runbooks/#feedslow"


def page(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "03_runbooks.md"
    file.write_text(text)
    return file


def test_a_section_is_found_by_the_pages_runbook_url_and_gives_its_branches_in_order(tmp_path: Path) -> None:
    section = find(page(tmp_path, GOOD), FEED_SLOW)
    (branch,) = section.branches()
    assert (branch.number, branch.title) == (1, "The canary")
    assert branch.check == ("fleetops triage feed --is canary",)
    assert branch.mitigate == ("fleetops canary weight 0", "fleetops flag set canary off")
    assert arguments(branch.validate[0])[2] == 'up{job="feed"} == 1'


def test_the_hash_of_a_section_changes_with_its_text_alone(tmp_path: Path) -> None:
    before = find(page(tmp_path, GOOD), FEED_SLOW).sha256
    assert find(page(tmp_path, "New first line\n" + GOOD + "More\n"), FEED_SLOW).sha256 == before
    assert find(page(tmp_path, GOOD.replace("weight 0", "weight 1")), FEED_SLOW).sha256 != before


@pytest.mark.parametrize(
    ("old", "new", "line", "named"),
    [
        ("fleetops canary weight 0", "rm -rf /", 20, "not a fleetops command"),
        ("fleetops canary weight 0", "fleetops canary weight 0 && reboot", 20, "needs a shell"),
        ("fleetops canary weight 0", "fleetops canary 'weight", 20, "does not parse"),
        (".mitigate", ".mend", 18, "'mend' block"),
        ("### 1.", "### 2.", 12, "branch 2 where 1"),
        ("``` { .bash .validate }", "```", 12, "no validate"),
        ("--wait 10\n```", "--wait 10", 24, "never closed"),
        ("{ .bash .mitigate }", "{ .bash .mitigate .danger }", 18, "write this block as '{ .bash .mitigate }'"),
        ("{ .bash .mitigate }", "{ .sh .mitigate }", 18, "write this block as '{ .bash .mitigate }'"),
        ("canary weight 0", "query '{{ up }}'", 20, "contains '{{', which the site would fill in"),
    ],
)
def test_whatever_does_not_fit_the_format_is_refused_by_line(
    tmp_path: Path, old: str, new: str, line: int, named: str
) -> None:
    section = find(page(tmp_path, GOOD.replace(old, new)), FEED_SLOW)
    with pytest.raises(SpecError, match=re.escape(named)) as refused:
        section.branches()
    assert refused.value.line == line


@pytest.mark.parametrize("fragment", ["#nowhere", "#", ""])
def test_a_runbook_url_without_a_section_is_refused_by_name(tmp_path: Path, fragment: str) -> None:
    with pytest.raises(SpecError, match=f"no section for the runbook_url '{SITE}/03_runbooks/{fragment}'"):
        find(page(tmp_path, GOOD), f"{SITE}/03_runbooks/{fragment}")


@pytest.mark.parametrize(
    "url",
    [
        f"{SITE}/07_oncall_playbook/#feedslow",
        f"{SITE}/runbooks/#feedslow",
        f"{SITE}/#feedslow",
        f"{SITE}/old_03_runbooks/#feedslow",
        f"{SITE}/03_runbooks#feedslow",
        "#feedslow",
        "",
    ],
)
def test_a_runbook_url_with_the_path_of_another_page_is_refused_by_name(tmp_path: Path, url: str) -> None:
    with pytest.raises(
        SpecError, match=re.escape(f"{url!r} leads to another page; its path must end in /03_runbooks/")
    ):
        find(page(tmp_path, GOOD), url)


def test_a_site_may_be_published_below_a_path(tmp_path: Path) -> None:
    assert find(page(tmp_path, GOOD), "https://example.test/fleetops/03_runbooks/#feedslow").title == "FeedSlow"


AS_THE_SITE_READS_IT = """---
title: Runbooks
---

# Page

## Größe des Überlaufs

First.

## See [the docs](https://example.test/)

## Disk <em>full</em>

## Named by hand { #own-name }

## Twice

One.

## Twice

Two.

A page
------

## Die `Größe` & "Rest"

<!--
## old

### 1. Not a branch
-->

~~~
## in a tilde fence
~~~

````
```
## in a longer fence
```
````

    ## in an indented block

Last line of the page.
"""


def test_a_section_is_found_by_the_anchor_that_the_site_gives_its_heading(tmp_path: Path) -> None:
    found = sections(page(tmp_path, AS_THE_SITE_READS_IT))
    site = mkdocs.config.load_config(str(ROOT / "mkdocs.yml"), plugins=[])
    markdown = Markdown(extensions=site.markdown_extensions, extension_configs=site.mdx_configs)
    html = markdown.convert(get_data(AS_THE_SITE_READS_IT)[0])
    assert [section.anchor for section in found] == re.findall(r'<h2 id="([^"]*)"', html)
    for section in found:
        assert find(section.file, f"http://lab/03_runbooks/#{section.anchor}") == section
        assert find(section.file, f"http://lab/03_runbooks/#{quote(section.anchor)}") == section


def test_headings_with_letters_links_html_attributes_and_repeats_have_the_anchors_of_the_site(tmp_path: Path) -> None:
    found = sections(page(tmp_path, AS_THE_SITE_READS_IT))
    assert [(section.title, section.anchor, section.line) for section in found] == [
        ("Größe des Überlaufs", "groe-des-uberlaufs", 7),
        ("See the docs", "see-the-docs", 11),
        ("Disk full", "disk-full", 13),
        ("Named by hand", "own-name", 15),
        ("Twice", "twice", 17),
        ("Twice", "twice_1", 21),
        ("A page", "a-page", 25),
        ('Die Größe & "Rest"', "die-groe-rest", 28),
    ]
    second = find(found[0].file, f"{SITE}/03_runbooks/#twice_1")
    assert second.text == "## Twice\n\nTwo.\n"
    assert found[-1].text.endswith("Last line of the page.\n"), "what is no heading ends no section"


@pytest.mark.parametrize("text", ["", "# Only a title\n\nText.\n", "Text\n====\n", "~~~\n## fenced\n~~~\n"])
def test_a_page_without_a_section_is_refused_in_words(tmp_path: Path, text: str) -> None:
    with pytest.raises(SpecError, match="has no section"):
        sections(page(tmp_path, text))


@pytest.mark.parametrize(
    ("old", "new", "line", "named"),
    [
        ("## Other", "## Other {#id}", 28, "'{#' is template syntax"),
        ("## Other", "{% raw %}\n## Other\n{% endraw %}", 28, "'{%' is template syntax"),
        ("## Other", "## Other {{ name }}", 28, "contains '{{', which the site would fill in"),
        ("## Other", "> ## Other", None, "'Other' does not begin its line"),
    ],
)
def test_a_heading_that_a_reader_of_the_site_would_see_otherwise_is_refused_by_line(
    tmp_path: Path, old: str, new: str, line: int | None, named: str
) -> None:
    with pytest.raises(SpecError, match=re.escape(named)) as refused:
        sections(page(tmp_path, GOOD.replace(old, new)))
    assert refused.value.line == line


@pytest.mark.parametrize("fence", ["```", "~~~", "`````", "~~~~"])
def test_the_steps_of_a_branch_may_stand_in_any_fence_that_the_site_takes(tmp_path: Path, fence: str) -> None:
    section = find(page(tmp_path, GOOD.replace("```", fence)), FEED_SLOW)
    (branch,) = section.branches()
    assert branch.mitigate == ("fleetops canary weight 0", "fleetops flag set canary off")


def alerts() -> set[str]:
    files = [*RULES.glob("lab/*.rules.yml"), *RULES.glob("platform/*.rules.yml")]
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    return {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}


def test_every_alert_has_its_section_and_every_section_its_alert() -> None:
    assert {section.title for section in sections(RUNBOOKS)} == alerts()


def committed() -> list[tuple[str, str]]:
    return [
        (f"{section.title} {branch.number} {step}", command)
        for section in sections(RUNBOOKS)
        for branch in section.branches()
        for step in ("check", "mitigate", "validate")
        for command in getattr(branch, step)
    ]


@pytest.mark.parametrize(("place", "command"), committed(), ids=lambda value: value[:60])
def test_every_command_of_the_runbooks_exists_and_takes_its_arguments(place: str, command: str) -> None:
    words = arguments(command)[1:]
    verb: click.Command = main.load(words[0])
    context = click.Context(verb, info_name=words[0])
    words = words[1:]
    while isinstance(verb, click.Group):
        found = verb.get_command(context, words[0])
        assert found is not None, f"{place}: no such verb in {command!r}"
        verb, words = found, words[1:]
    # make_context parses and converts, and does not run anything.
    parsed = verb.make_context(verb.name or "", list(words))
    if verb.name == "triage" and parsed.params["cause"]:
        assert parsed.params["cause"] in CAUSES[parsed.params["service"]], place


def test_every_page_has_a_branch_to_follow() -> None:
    for section in sections(RUNBOOKS):
        assert section.branches(), f"{section.title} has no branch"
