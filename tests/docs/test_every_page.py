"""Every page in a real browser: it fits a phone, keeps its weight budget and contacts no other host."""

from __future__ import annotations

from pathlib import Path

import chromium
import pytest
from playwright.sync_api import Browser, Page, expect
from published import serve

pytestmark = pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH")


# Wide matrices, which scroll. No other table may be wider than its frame on a desktop.
MATRICES = ("Time to fire, ", "Time to clear, ")

# Text of less than 12 px, with its element: too small to read on a phone without zooming.
SMALL = """(() => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walk.nextNode()) {
    const { data, parentElement: one } = walk.currentNode;
    if (!data.trim() || ["SCRIPT", "STYLE"].includes(one.tagName) || !one.checkVisibility()) continue;
    if (parseFloat(getComputedStyle(one).fontSize) < 12) found.push(`${one.localName}: ${data.trim()}`);
  }
  return found;
})()"""


def test_every_page_keeps_its_weight_fits_desktop_and_phone_and_contacts_no_other_host(
    published: str, site_folder: Path, browser: Browser
) -> None:
    """At most 150 kB compressed at first load, 400 kB with a record. Nothing is cut on a desktop or a phone."""
    heavy, wide, cut, small, requests, problems = [], [], [], [], [], []
    for file in sorted(site_folder.rglob("index.html")):
        path = file.parent.relative_to(site_folder).as_posix().removeprefix(".")
        with browser.new_context(viewport={"width": 1280, "height": 3000}) as context:  # a cache of its own
            found = chromium.problems(context)
            context.on("request", lambda request: requests.append(request.url))
            tab = context.new_page()
            chromium.visit(tab, f"{published}/{path}{'/' if path else ''}")
            if tab.locator(".console").count():
                expect(tab.locator(".console-tile")).not_to_have_count(0)
            tab.wait_for_function(
                "performance.getEntriesByType('resource').some((one) => one.name.includes('/workers/'))"
            )
            entries = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            weight = tab.evaluate(f"{entries}.reduce((sum, one) => sum + one.transferSize, 0)") / 1000
            tab.add_style_tag(content=".lab-run { content-visibility: visible !important; }")
            cut += tab.locator(".lab-scroll:not(.console *)").evaluate_all(
                "(frames) => frames.filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.ariaLabel)"
            )
            tab.set_viewport_size({"width": 390, "height": 800})
            width = tab.evaluate("document.documentElement.scrollWidth")
            small += [(path, words) for words in tab.evaluate(SMALL)]
            problems += found
        if weight > (400 if path == "lab" else 150):
            heavy.append((path, weight))
        if width > 390:
            wide.append((path, width))
    assert (heavy, wide, small, problems) == ([], [], [], [])
    assert [label for label in cut if not label.startswith(MATRICES)] == []
    assert {url.split("/")[2] for url in requests if url.startswith("http")} == {published.split("/")[2]}


def test_the_search_index_is_loaded_at_the_first_letter(site_folder: Path, page: Page, problems: list[str]) -> None:
    requested: list[str] = []
    with serve(site_folder, requested) as url:
        chromium.visit(page, f"{url}/03_runbooks/")
        page.locator(".md-search__input").focus()
        expect(page.locator(".md-search-result__meta")).to_contain_text("Type to start searching")
        assert "/search/search_index.json" in requested
        assert "/search/sections.json" not in requested
        page.keyboard.type("stampede")
        expect(page.locator('.md-search-result__item a[href*="03_runbooks/"]')).not_to_have_count(0)
        assert "/search/sections.json" in requested
    assert not problems


def test_a_reader_gets_the_systems_colour_scheme_or_the_one_last_chosen(published: str, page: Page) -> None:
    shown, switch = page.locator("body"), page.locator(".lab-scheme")
    for scheme, other in (("slate", "default"), ("default", "slate")):
        page.emulate_media(color_scheme="dark" if scheme == "slate" else "light")
        chromium.visit(page, f"{published}/")
        expect(shown).to_have_attribute("data-md-color-scheme", scheme)
        switch.click()
        expect(shown).to_have_attribute("data-md-color-scheme", other)
        chromium.visit(page, f"{published}/glossary/")
        expect(shown).to_have_attribute("data-md-color-scheme", other)
        switch.click()
        expect(shown).to_have_attribute("data-md-color-scheme", scheme)
        page.evaluate("localStorage.clear()")
