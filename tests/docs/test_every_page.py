"""Every page in a real browser: it fits a phone, keeps its weight budget and contacts no other host."""

from __future__ import annotations

from pathlib import Path

import chromium
import pytest
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
    published: str, site_folder: Path, browser: chromium.Browser
) -> None:
    """At most 150 kB compressed at first load, 400 kB with a record. Nothing is cut on a desktop or a phone."""
    heavy, wide, cut, small, hosts, problems = [], [], [], [], set(), []
    for file in sorted(site_folder.rglob("index.html")):
        path = file.parent.relative_to(site_folder).as_posix().removeprefix(".")
        with browser.page() as tab:  # a cache of its own
            tab.view(1280, 3000)
            tab.open(f"{published}/{path}{'/' if path else ''}")
            tab.until("document.querySelector('.console') === null || document.querySelector('.console-tile')")
            tab.until("performance.getEntriesByType('resource').some((one) => one.name.includes('/workers/'))")
            entries = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            weight = tab.value(f"{entries}.reduce((sum, one) => sum + one.transferSize, 0)") / 1000
            tab.value(
                "document.querySelectorAll('.lab-run').forEach((run) => { run.style.contentVisibility = 'visible'; })"
            )
            frames = "[...document.querySelectorAll('.lab-scroll:not(.console *)')]"
            cut += tab.value(
                f"{frames}.filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.ariaLabel)"
            )
            tab.view(390, 800)
            width = tab.value("document.documentElement.scrollWidth")
            small += [(path, words) for words in tab.value(SMALL)]
            hosts |= {url.split("/")[2] for url in tab.requests if url.startswith("http")}
            problems += tab.problems
        if weight > (400 if path == "lab" else 150):
            heavy.append((path, weight))
        if width > 390:
            wide.append((path, width))
    assert (heavy, wide, small, problems) == ([], [], [], [])
    assert [label for label in cut if not label.startswith(MATRICES)] == []
    assert hosts == {published.split("/")[2]}


def test_the_search_index_is_loaded_at_the_first_letter(site_folder: Path, page: chromium.Page) -> None:
    requested: list[str] = []
    with serve(site_folder, requested) as url:
        page.open(f"{url}/03_runbooks/")
        page.value("document.querySelector('.md-search__input').focus()")
        page.until("document.querySelector('.md-search-result__meta').textContent.includes('Type to start searching')")
        assert "/search/search_index.json" in requested
        assert "/search/sections.json" not in requested
        page.call("Input.insertText", text="stampede")
        page.value("document.querySelector('.md-search__input').dispatchEvent(new KeyboardEvent('keyup'))")
        page.until("document.querySelector('.md-search-result__item a[href*=\"03_runbooks/\"]')")
        assert "/search/sections.json" in requested
    assert not page.problems


SCHEME = "document.body.dataset.mdColorScheme"


def test_a_reader_gets_the_systems_colour_scheme_or_the_one_last_chosen(published: str, page: chromium.Page) -> None:
    for dark, scheme, other in ((True, "slate", "default"), (False, "default", "slate")):
        page.view(1280, 800, dark=dark)
        page.open(f"{published}/")
        assert page.value(SCHEME) == scheme
        page.value("document.querySelector('.lab-scheme').click()")
        assert page.value(SCHEME) == other
        page.open(f"{published}/glossary/")
        assert page.value(SCHEME) == other
        page.value("document.querySelector('.lab-scheme').click()")
        assert page.value(SCHEME) == scheme
        page.value("localStorage.clear()")
