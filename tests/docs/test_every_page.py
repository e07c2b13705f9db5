"""Every page in a real browser: accessible in both schemes, fits a phone, keeps its weight, contacts no other host.

Each page is opened once; the tests check what was found there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chromium
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect
from published import serve

pytestmark = [
    pytest.mark.batch,
    pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH"),
    pytest.mark.timeout(600),
]
# Wide matrices, which scroll. No other table may be wider than its frame on a desktop.
MATRICES = ("Time to fire, ", "Time to clear, ")
DESKTOP, PHONE = ViewportSize(width=1280, height=6000), ViewportSize(width=390, height=800)
HEADER_BYTES = 300  # of a response, as browsers count them in transferSize

# The compressed size of what the page loaded. It is the same when the browser has some of it in its cache.
LOADED = """[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .map((one) => one.encodedBodySize)"""
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

TAGS = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
# The rules whose result depends on colours, in both schemes; and the one whose result depends on the places of all
# controls, which takes longer than all other rules together.
COLOURS, PLACES = ["color-contrast", "link-in-text-block"], ["target-size"]
COLOUR_RULES, PLACE_RULES = ({"runOnly": {"type": "rule", "values": rules}} for rules in (COLOURS, PLACES))
# Takes a third of the time of all others. It forbids inline styles that are important; IMPORTANT finds any.
SPACING = ["avoid-inline-spacing"]
IMPORTANT = "[style*='!important']"
OTHER_RULES = {"runOnly": TAGS, "rules": {rule: {"enabled": False} for rule in COLOURS + PLACES + SPACING}}

# Scrolls through the page like a reader, because blocks are prepared when they come into view.
READ = """(async () => {
  const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  for (let at = innerHeight; at < document.documentElement.scrollHeight; at += innerHeight) {
    scrollTo(0, at);
    await frames();
  }
  if (!scrollY) return;
  scrollTo(0, 0);
  await frames();
})()"""
# Transitions off, so that axe never sees a colour halfway between two schemes.
NO_TRANSITIONS = """document.head.append(Object.assign(document.createElement("style"), {
  textContent: "*, ::before, ::after { transition: none !important; }",
}))"""
# Collects the elements whose kind is new, those with text in `texts` and controls in `controls`, and returns the new
# kinds. Elements are of one kind, and look alike, when their tags, classes and inline colours are equal from the body
# down: most of a page's elements are of few kinds. Checking all of them on every page would take minutes.
COLLECT_KINDS = """(known) => {
  const seen = new Set(known), found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const own = (one) =>
    [one.localName, ...one.classList, one.style.color, one.style.background, one.getAttribute("fill")].join(" ");
  const add = (one, group, list) => {
    const parts = [group];
    for (let at = one; at !== document.body; at = at.parentElement) parts.push(own(at));
    const kind = parts.join(" > ");
    if (seen.has(kind)) return;
    seen.add(kind);
    found.push(kind);
    list.push(one);
  };
  window.texts = [];
  window.controls = [];
  while (walk.nextNode()) {
    const one = walk.currentNode.parentElement;
    if (walk.currentNode.data.trim() && one.checkVisibility()) add(one, "text", window.texts);
  }
  for (const one of document.querySelectorAll("a[href], button, input, select, textarea, summary, [role], [tabindex]"))
    if (one !== document.body && one.checkVisibility()) add(one, "control", window.controls);
  return found;
}"""
STYLES = "(all) => all.map((one) => one.getAttribute('style'))"
SETTLED = "Promise.all(document.getAnimations().map((one) => one.finished.catch(() => {}))).then(() => undefined)"


@dataclass
class Found:
    """What was found on all pages; each entry begins with the path of its page."""

    heavy: list[tuple[str, float]] = field(default_factory=list)
    wide: list[tuple[str, int]] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    small: list[tuple[str, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)


def pages(site: Path) -> list[str]:
    return sorted(file.parent.relative_to(site).as_posix().removeprefix(".") for file in site.rglob("index.html"))


def violations(page: Page, where: str, rules: dict[str, Any]) -> list[str]:
    """The violations of these rules in a part of the page (JavaScript), each with its first three elements."""
    broken: list[str] = page.evaluate(
        f"async (options) => (await axe.run({where}, options)).violations.map((one) =>"
        " `${one.id} (${one.impact}): ${one.nodes.slice(0, 3)"
        ".map((node) => node.target.join(' ') + ' ' + node.html.slice(0, 160)).join(' | ')}`)",
        {**rules, "resultTypes": ["violations"]},
    )
    return broken


@pytest.fixture(scope="module")
def found(site_folder: Path, published: str, browser: Browser, axe_source: str | None) -> Iterator[Found]:
    """Every page, opened once: on a desktop, in the dark, on a phone."""
    all_pages = Found()
    with browser.new_context(viewport=DESKTOP) as context:
        all_pages.problems = chromium.problems(context)
        context.on("request", lambda request: all_pages.requests.append(request.url))
        page = context.new_page()
        for path in pages(site_folder):
            page.set_viewport_size(DESKTOP)
            chromium.visit(page, f"{published}/{path}{'/' if path else ''}")
            if page.locator(".console").count():
                expect(page.locator(".console-tile")).not_to_have_count(0)
            measure(page, path, all_pages)
            if axe_source is not None:
                check_accessibility(page, path, axe_source, all_pages)
            page.set_viewport_size(PHONE)
            if (width := page.evaluate("document.documentElement.scrollWidth")) > PHONE["width"]:
                all_pages.wide.append((path, width))
            all_pages.small += [(path, words) for words in page.evaluate(SMALL)]
            page.evaluate("localStorage.clear()")  # the next page is light again
        yield all_pages


def measure(page: Page, path: str, found: Found) -> None:
    """The weight of a page at first load, and its tables that are cut on a desktop."""
    page.wait_for_function("performance.getEntriesByType('resource').some((one) => one.name.includes('/workers/'))")
    weight = sum(size + HEADER_BYTES for size in page.evaluate(LOADED)) / 1000
    if weight > (400 if path == "lab" else 150):
        found.heavy.append((path, weight))
    page.add_style_tag(content=".lab-run { content-visibility: visible !important; }")
    found.cut += page.locator(".lab-scroll:not(.console *)").evaluate_all(
        "(frames) => frames.filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.ariaLabel)"
    )


def check_accessibility(page: Page, path: str, axe: str, found: Found) -> None:
    """Colours in both schemes and places on the first element of each kind; all other rules on every element."""
    scheme = page.locator("body")
    expect(scheme).to_have_attribute("data-md-color-scheme", "default")
    page.evaluate(NO_TRANSITIONS)
    page.evaluate(READ)
    page.evaluate(SETTLED)
    page.evaluate(axe + "; undefined")
    found.broken += [f"/{path}: {violation}" for violation in violations(page, "document", OTHER_RULES)]
    found.broken += [f"/{path}: {style}" for style in page.locator(IMPORTANT).evaluate_all(STYLES)]
    found.kinds += (new := page.evaluate(COLLECT_KINDS, found.kinds))
    if any(kind.startswith("control") for kind in new):
        found.broken += [f"/{path}: {one}" for one in violations(page, "{ include: controls }", PLACE_RULES)]
    if any(kind.startswith("text") for kind in new):
        found.broken += [f"/{path}: {one}" for one in violations(page, "{ include: texts }", COLOUR_RULES)]
        page.locator(".lab-scheme").click()
        expect(scheme).to_have_attribute("data-md-color-scheme", "slate")
        found.broken += [f"/{path}, dark: {one}" for one in violations(page, "{ include: texts }", COLOUR_RULES)]


@pytest.mark.usefixtures("axe")
def test_no_page_violates_an_accessibility_rule_in_either_scheme(found: Found) -> None:
    """The rules of axe for WCAG 2.2 AA, and its best practices."""
    assert not found.broken, "\n".join(found.broken)


def test_every_page_keeps_its_weight(found: Found) -> None:
    """At most 150 kB compressed at first load, 400 kB with a record."""
    assert not found.heavy


def test_nothing_is_cut_on_a_desktop_or_a_phone(found: Found) -> None:
    assert (found.wide, found.small) == ([], [])
    assert [label for label in found.cut if not label.startswith(MATRICES)] == []


def test_every_page_contacts_no_other_host_and_reports_no_error(found: Found, published: str) -> None:
    assert {url.split("/")[2] for url in found.requests if url.startswith("http")} == {published.split("/")[2]}
    assert not found.problems


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
