"""The Markdown extension that wraps the content between two headings."""

from __future__ import annotations

import re

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
    assert 60 < long < 120
