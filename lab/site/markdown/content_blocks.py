"""A Markdown extension: what stands between two headings is one element, which a browser can leave out of a layout.

Headings stay where they are, so that a page's contents, its anchors and the theme's own styles find them. A long page,
every alert's section of the runbook, would otherwise be styled and laid out as a whole before anybody has scrolled.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, tostring

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import HTML_PLACEHOLDER_RE

HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
CLASS = "lab-run"
# What a phone needs for a line and how much it holds; rather too much, or what is not laid out yet stands in the way.
LINE_REM, LINE_CHARACTERS = 1.4, 34
_BLOCK = re.compile(r"<(?:tr|li|p|dt|dd|pre|summary|figure|div)\b")
_PRE = re.compile(r"<pre.*?</pre>", re.DOTALL)
_SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)
_SVG_LINES = 16
# After every other one, which would look for its elements at the top.
LAST = -100


class Runs(Treeprocessor):
    """Wraps each run of elements between headings of the document's top level."""

    def run(self, root: Element) -> None:
        """Changes `root` in place."""
        run: Element | None = None
        children, root[:] = list(root), []
        for child in children:
            if child.tag in HEADINGS:
                root.append(child)
                run = None
                continue
            if run is None:
                run = SubElement(root, "div", {"class": CLASS})
            run.append(child)
        for run in root.iterfind(f"div[@class='{CLASS}']"):
            run.set("style", f"contain-intrinsic-height: auto {self._rem(run)}rem")

    def _rem(self, run: Element) -> int:
        """About how high it is on a phone, before it has been laid out."""
        text = tostring(run, encoding="unicode", method="html")
        while HTML_PLACEHOLDER_RE.search(text):  # what was put aside can hold what was put aside before
            text = HTML_PLACEHOLDER_RE.sub(lambda found: str(self.md.htmlStash.rawHtmlBlocks[int(found[1])]), text)
        text, drawings = _SVG.subn("", text)
        lines: int = sum(block.count("\n") for block in _PRE.findall(text)) + _SVG_LINES * drawings
        lines += len(_BLOCK.findall(text)) + len(re.sub(r"<[^>]+>", "", text)) // LINE_CHARACTERS
        return int((lines + 1) * LINE_REM)


class RunsExtension(Extension):
    """`markdown_extensions: [lab.site.markdown.content_blocks]`."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's own name
        """Registers the processor."""
        md.treeprocessors.register(Runs(md), "lab_runs", LAST)


def makeExtension(**options: object) -> RunsExtension:  # noqa: N802 - Markdown's own name
    """What Markdown asks a module for."""
    return RunsExtension(**options)
