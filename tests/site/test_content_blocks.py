"""The Markdown extension that wraps the content between two headings."""

from __future__ import annotations

import re

import pytest
from markdown import markdown


def test_the_content_between_headings_is_one_element_and_headings_stay_at_the_top_level() -> None:
    made = markdown(
        "before\n\n# One\n\na\n\n- b\n\n## Two\n\n### Three\n\nc\n", extensions=["lab.site.markdown.content_blocks"]
    )
    order = re.findall(r'<(div class="lab-run"|/div|h\d|p|ul)(?=[ >])', made)
    assert order == [
        'div class="lab-run"', "p", "/div", "h1", 'div class="lab-run"', "p", "ul", "/div",
        "h2", "h3", 'div class="lab-run"', "p", "/div",
    ]  # fmt: skip


def test_a_text_of_headings_alone_gets_no_wrapper() -> None:
    assert "lab-run" not in markdown("# One\n\n## Two\n", extensions=["lab.site.markdown.content_blocks"])


def test_the_estimated_height_of_a_block_follows_its_content() -> None:
    """Markup stashed by other extensions counts too."""
    fenced = "```\n" + "line\n" * 50 + "```\n"
    made = markdown(
        f"# One\n\na\n\n# Two\n\n{fenced}", extensions=["lab.site.markdown.content_blocks", "pymdownx.superfences"]
    )
    short, long = (int(height) for height in re.findall(r"contain-intrinsic-height: auto (\d+)rem", made))
    assert short < 6
    assert 40 < long < 80


def height(content: str) -> int:
    made = markdown(f"# One\n\n{content}\n", extensions=["lab.site.markdown.content_blocks", "md_in_html"])
    return int(re.findall(r"contain-intrinsic-height: auto (\d+)rem", made)[0])


ROWS = "<table>" + "<tr><td>a sample of the signal</td></tr>" * 200 + "</table>"


@pytest.mark.parametrize(
    "closed",
    [
        f"<details><summary>Data table</summary>{ROWS}</details>",
        f'<figure class="lab-chart"><details><summary>Data table</summary><div>{ROWS}</div></details></figure>',
        f"<div hidden>{ROWS}</div>",
        f"<details>{ROWS}<summary>last</summary></details>",
        f"<div><script type='application/json'>{ROWS}</script></div>",
        f"<details><summary>Outer</summary><details open><summary>Inner</summary>{ROWS}</details></details>",
    ],
)
def test_what_a_browser_does_not_show_at_load_has_no_height(closed: str) -> None:
    assert height(closed) < 8


def test_an_open_details_and_the_summary_of_a_closed_one_have_a_height() -> None:
    assert height(f"<details open><summary>Data table</summary>{ROWS}</details>") > 150
    assert height(f"<details><summary>{'word ' * 200}</summary>{ROWS}</details>") > 20


def test_the_samples_in_the_key_of_a_chart_are_not_counted_as_drawings() -> None:
    key = "<ul>" + '<li><svg width="22" height="10"><path/></svg>p99</li>' * 8 + "</ul>"
    assert height(key) < 20
    assert height('<svg width="100%" height="300"><path/></svg>') > 14
