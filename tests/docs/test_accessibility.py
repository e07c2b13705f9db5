"""Every page by axe's rules of WCAG 2.2 AA and its best practices, in both schemes, with the console in use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest
from published import serve

from lab.errors import ToolError
from lab.site import scripts

pytestmark = [
    pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH"),
    pytest.mark.timeout(600),
]
WEB = Path(__file__).with_name("web")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = (
    f"axe.run(document, {{runOnly: {{type: 'tag', values: {json.dumps(RULES)}}}, resultTypes: ['violations']}})"
    ".then((found) => found.violations.map((one) => `${one.id} (${one.impact}): ${one.nodes.slice(0, 3)"
    ".map((node) => node.target.join(' ') + ' ' + node.html.slice(0, 160)).join(' | ')}`))"
)

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
  await Promise.all(document.getAnimations().map((one) => one.finished.catch(() => {})));
})()"""


@pytest.fixture(scope="module")
def axe() -> str:
    try:
        return (scripts.packages(WEB) / "axe-core" / "axe.min.js").read_text()
    except ToolError as error:
        pytest.skip(f"no axe here: {error}")


@pytest.fixture(scope="module")
def address(site_folder: Path) -> Iterator[str]:
    with serve(site_folder) as url:
        yield url


def pages(site: Path) -> list[str]:
    return sorted(file.parent.relative_to(site).as_posix().removeprefix(".") for file in site.rglob("index.html"))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_page_breaks_a_rule_of_accessibility(site_folder: Path, address: str, axe: str, dark: bool) -> None:
    broken = []
    with chromium.page() as page:
        page.view(1280, 6000, dark=dark)
        for path in pages(site_folder):
            page.open(f"{address}/{path}{'/' if path else ''}")
            page.until("document.querySelector('.console') === null || document.querySelector('.console-tile')")
            assert page.value("document.body.dataset.mdColorScheme") == ("slate" if dark else "default")
            page.value(READ)
            page.value(axe + "; undefined")
            broken += [f"/{path}: {one}" for one in page.value(RUN)]
    assert not broken, "\n".join(broken)
