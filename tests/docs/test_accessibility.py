"""Every page by axe's rules of WCAG 2.2 AA and its best practices, in both schemes, with the console in use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import chromium
import pytest

pytestmark = [
    pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH"),
    pytest.mark.timeout(600),
]
EVERY_RULE = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
# What can differ when nothing but the colours does.
COLOUR_RULES = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}

# As if a reader had been through the page: blocks are prepared when they come into view.
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
TO_DARK = "document.querySelector('.lab-scheme').click()"
# Nothing is caught halfway between two colours; what is not laid out yet would start to change when axe comes to it.
AT_ONCE = """document.head.append(Object.assign(document.createElement("style"), {
  textContent: "*, ::before, ::after { transition: none !important; }",
}))"""
SETTLED = "Promise.all(document.getAnimations().map((one) => one.finished.catch(() => {}))).then(() => undefined)"


def pages(site: Path) -> list[str]:
    return sorted(file.parent.relative_to(site).as_posix().removeprefix(".") for file in site.rglob("index.html"))


def violations(page: chromium.Page, rules: dict[str, Any]) -> list[str]:
    """What axe finds by these rules, each with its first places."""
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    found: list[str] = page.value(
        f"axe.run(document, {json.dumps(options)})"
        ".then((found) => found.violations.map((one) => `${one.id} (${one.impact}): ${one.nodes.slice(0, 3)"
        ".map((node) => node.target.join(' ') + ' ' + node.html.slice(0, 160)).join(' | ')}`))"
    )
    return found


def test_no_page_breaks_a_rule_of_accessibility_in_either_scheme(
    site_folder: Path, published: str, page: chromium.Page, axe: str
) -> None:
    """Every rule in the light scheme; then the reader turns the page dark, and it is held to those of colour again."""
    broken = []
    page.view(1280, 6000)
    for path in pages(site_folder):
        page.open(f"{published}/{path}{'/' if path else ''}")
        page.until("document.querySelector('.console') === null || document.querySelector('.console-tile')")
        assert page.value("document.body.dataset.mdColorScheme") == "default"
        page.value(AT_ONCE)
        page.value(READ)
        page.value(SETTLED)
        page.value(axe + "; undefined")
        broken += [f"/{path}: {one}" for one in violations(page, EVERY_RULE)]
        page.value(TO_DARK)
        page.until("document.body.dataset.mdColorScheme === 'slate'")
        broken += [f"/{path}, dark: {one}" for one in violations(page, COLOUR_RULES)]
        page.value("localStorage.clear()")  # the next page is light again
    assert not broken, "\n".join(broken)
