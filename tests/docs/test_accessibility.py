"""Every page passes axe's rules for WCAG 2.2 AA and best practices, in both colour schemes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import chromium
import pytest
from playwright.sync_api import Page, expect

pytestmark = [
    pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH"),
    pytest.mark.timeout(600),
]
TAGS = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
# The rules whose result depends on colours, in both schemes; and the one whose result depends on the places of all
# controls, which takes longer than all other rules together.
COLOURS, PLACES = ["color-contrast", "link-in-text-block"], ["target-size"]
COLOUR_RULES, PLACE_RULES = ({"runOnly": {"type": "rule", "values": rules}} for rules in (COLOURS, PLACES))
OTHER_RULES = {"runOnly": TAGS, "rules": {rule: {"enabled": False} for rule in COLOURS + PLACES}}

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
SETTLED = "Promise.all(document.getAnimations().map((one) => one.finished.catch(() => {}))).then(() => undefined)"


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


def test_no_page_violates_an_accessibility_rule_in_either_scheme(
    site_folder: Path, published: str, page: Page, axe: str
) -> None:
    """Colours in both schemes and places on the first element of each kind; all other rules on every element."""
    broken, known = [], list[str]()
    scheme = page.locator("body")
    page.set_viewport_size({"width": 1280, "height": 6000})
    for path in pages(site_folder):
        chromium.visit(page, f"{published}/{path}{'/' if path else ''}")
        if page.locator(".console").count():
            expect(page.locator(".console-tile")).not_to_have_count(0)
        expect(scheme).to_have_attribute("data-md-color-scheme", "default")
        page.evaluate(NO_TRANSITIONS)
        page.evaluate(READ)
        page.evaluate(SETTLED)
        page.evaluate(axe + "; undefined")
        broken += [f"/{path}: {violation}" for violation in violations(page, "document", OTHER_RULES)]
        known += (new := page.evaluate(COLLECT_KINDS, known))
        if any(kind.startswith("control") for kind in new):
            broken += [f"/{path}: {violation}" for violation in violations(page, "{ include: controls }", PLACE_RULES)]
        if not any(kind.startswith("text") for kind in new):
            continue
        broken += [f"/{path}: {violation}" for violation in violations(page, "{ include: texts }", COLOUR_RULES)]
        page.locator(".lab-scheme").click()
        expect(scheme).to_have_attribute("data-md-color-scheme", "slate")
        broken += [f"/{path}, dark: {violation}" for violation in violations(page, "{ include: texts }", COLOUR_RULES)]
        page.evaluate("localStorage.clear()")  # the next page is light again
    assert not broken, "\n".join(broken)
