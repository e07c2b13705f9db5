"""Long pages are laid out while they are read: anchors, code blocks and the navigation drawer still work."""

from __future__ import annotations

import chromium
import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH")
HEADING = "document.getElementById('watchdog').getBoundingClientRect().top"
IN_VIEW = """[...document.querySelectorAll('.md-typeset pre > code')].filter((block) => {
  const { top, bottom } = block.getBoundingClientRect();
  return bottom > 60 && top < innerHeight && block.checkVisibility({ contentVisibilityAuto: true });
})"""


@pytest.fixture
def phone(page: Page) -> Page:
    page.set_viewport_size({"width": 390, "height": 800})
    return page


def test_a_link_into_the_runbooks_scrolls_to_its_section(published: str, phone: Page) -> None:
    chromium.visit(phone, f"{published}/03_runbooks/#watchdog")
    phone.wait_for_function(f"{HEADING} >= 0 && {HEADING} < 200")
    assert phone.evaluate("scrollY") > 5000


def test_a_code_block_in_view_has_a_label_and_scrolls_by_keyboard(published: str, phone: Page) -> None:
    chromium.visit(phone, f"{published}/03_runbooks/")
    phone.locator(".md-typeset details:has(pre)").nth(9).evaluate(
        "(rule) => { rule.open = true; rule.querySelector('pre').scrollIntoView(); }"
    )
    phone.wait_for_function(f"{IN_VIEW}.some((block) => block.scrollWidth > block.clientWidth)")
    phone.wait_for_function(f"{IN_VIEW}.every((one) => one.scrollWidth <= one.clientWidth || one.tabIndex === 0)")
    phone.wait_for_function(
        f"{IN_VIEW}.every((block) => /^Code block [1-9]/.test("
        "block.parentElement.querySelector('nav.md-code__nav')?.getAttribute('aria-label')))"
    )


def test_a_runbook_step_in_view_can_be_copied(published: str, phone: Page) -> None:
    """The copied text is the step as shown, with its line breaks, and the theme confirms the copy."""
    chromium.visit(phone, f"{published}/03_runbooks/")
    step = phone.locator(".highlight.validate pre").nth(20)
    expect(step.locator("button")).to_have_count(0)
    step.evaluate("(block) => block.scrollIntoView()")
    copy = step.locator("button[title]")
    text = step.inner_text()
    expect(copy).to_have_attribute("data-clipboard-text", text.strip())
    assert text.startswith("fleetops ")
    copy.click()
    expect(phone.locator("[data-md-component=dialog]")).to_have_text("Copied to clipboard")


def test_the_links_of_the_drawer_are_reachable_only_while_it_is_open(published: str, phone: Page) -> None:
    chromium.visit(phone, f"{published}/03_runbooks/")
    seen = (
        "document.querySelector('.md-sidebar--primary a.md-nav__link[href]')"
        ".checkVisibility({ contentVisibilityAuto: true })"
    )
    assert phone.evaluate(seen) is False
    phone.locator("label.md-header__button[for=__drawer]").click()
    phone.wait_for_function(seen)
    phone.locator("label.md-overlay").click(position={"x": 380, "y": 400})  # beside the drawer
    phone.wait_for_function(f"!{seen}")
