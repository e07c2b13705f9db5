"""A long page is laid out as it is read: its anchors hold, its blocks are ready when seen, its drawer is shut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest
from published import serve

pytestmark = pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH")
HEADING = "document.getElementById('watchdog').getBoundingClientRect().top"
IN_VIEW = """[...document.querySelectorAll('.md-typeset pre > code')].filter((block) => {
  const { top, bottom } = block.getBoundingClientRect();
  return bottom > 60 && top < innerHeight && block.checkVisibility({ contentVisibilityAuto: true });
})"""


@pytest.fixture(scope="module")
def address(site_folder: Path) -> Iterator[str]:
    with serve(site_folder) as url:
        yield url


@pytest.fixture
def phone() -> Iterator[chromium.Page]:
    with chromium.page() as opened:
        opened.view(390, 800)
        yield opened


def test_a_link_into_the_runbooks_ends_at_its_section(address: str, phone: chromium.Page) -> None:
    phone.open(f"{address}/03_runbooks/#watchdog")
    phone.until(f"{HEADING} >= 0 && {HEADING} < 200")
    assert phone.value("scrollY") > 5000


def test_a_block_that_comes_into_view_is_named_and_can_be_scrolled_by_keyboard(
    address: str, phone: chromium.Page
) -> None:
    phone.open(f"{address}/03_runbooks/")
    phone.value(
        "const rule = document.querySelectorAll('.md-typeset details:has(pre)')[9];"
        " rule.open = true; rule.querySelector('pre').scrollIntoView()"
    )
    phone.until(f"{IN_VIEW}.some((block) => block.scrollWidth > block.clientWidth)")
    phone.until(f"{IN_VIEW}.every((block) => block.scrollWidth <= block.clientWidth || block.tabIndex === 0)")
    phone.until(
        f"{IN_VIEW}.every((block) => /^Code block [1-9]/.test("
        "block.parentElement.querySelector('nav.md-code__nav')?.getAttribute('aria-label')))"
    )


def test_nobody_gets_into_the_closed_drawer_and_everybody_into_the_open_one(address: str, phone: chromium.Page) -> None:
    phone.open(f"{address}/03_runbooks/")
    link = "document.querySelector('.md-sidebar--primary a.md-nav__link[href]')"
    seen = f"{link}.checkVisibility({{ contentVisibilityAuto: true }})"
    assert phone.value(seen) is False
    phone.value("document.querySelector('label.md-header__button[for=__drawer]').click()")
    phone.until(seen)
    phone.value("document.querySelector('label.md-overlay').click()")
    phone.until(f"!{seen}")
