"""Long pages are laid out while they are read: anchors, code blocks and the navigation drawer still work."""

from __future__ import annotations

import chromium
import pytest

pytestmark = pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH")
HEADING = "document.getElementById('watchdog').getBoundingClientRect().top"
IN_VIEW = """[...document.querySelectorAll('.md-typeset pre > code')].filter((block) => {
  const { top, bottom } = block.getBoundingClientRect();
  return bottom > 60 && top < innerHeight && block.checkVisibility({ contentVisibilityAuto: true });
})"""


@pytest.fixture
def phone(page: chromium.Page) -> chromium.Page:
    page.view(390, 800)
    return page


def test_a_link_into_the_runbooks_scrolls_to_its_section(published: str, phone: chromium.Page) -> None:
    phone.open(f"{published}/03_runbooks/#watchdog")
    phone.until(f"{HEADING} >= 0 && {HEADING} < 200")
    assert phone.value("scrollY") > 5000


def test_a_code_block_in_view_has_a_label_and_scrolls_by_keyboard(published: str, phone: chromium.Page) -> None:
    phone.open(f"{published}/03_runbooks/")
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


def test_a_runbook_step_in_view_can_be_copied(published: str, phone: chromium.Page) -> None:
    """The copied text is the step as shown, with its line breaks, and the theme confirms the copy."""
    phone.open(f"{published}/03_runbooks/")
    step = "document.querySelectorAll('.highlight.validate pre')[20]"
    assert phone.value(f"{step}.querySelector('button')") is None
    phone.value(f"{step}.scrollIntoView()")
    phone.until(f"{step}.querySelector('button[title]')")
    assert phone.value(f"{step}.querySelector('button').dataset.clipboardText === {step}.innerText.trim()")
    assert phone.value(f"{step}.innerText").startswith("fleetops ")
    phone.value(f"{step}.querySelector('button').click()")
    phone.until("document.querySelector('[data-md-component=dialog]').innerText === 'Copied to clipboard'")


def test_the_links_of_the_drawer_are_reachable_only_while_it_is_open(published: str, phone: chromium.Page) -> None:
    phone.open(f"{published}/03_runbooks/")
    link = "document.querySelector('.md-sidebar--primary a.md-nav__link[href]')"
    seen = f"{link}.checkVisibility({{ contentVisibilityAuto: true }})"
    assert phone.value(seen) is False
    phone.value("document.querySelector('label.md-header__button[for=__drawer]').click()")
    phone.until(seen)
    phone.value("document.querySelector('label.md-overlay').click()")
    phone.until(f"!{seen}")
