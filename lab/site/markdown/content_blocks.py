"""A Markdown extension that wraps the content between two headings in one element, so a browser can skip its layout.

Without it a browser lays out all of a long page, such as the runbooks, before the reader scrolls. Headings stay outside
the wrappers, where the table of contents, anchors and the theme's styles expect them.
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
# Height and width of a line on a phone. Overestimated, because too low an estimate makes the page jump while scrolling.
LINE_REM, LINE_CHARACTERS = 1.4, 34
_BLOCK = re.compile(r"<(?:tr|li|p|dt|dd|pre|summary|figure|div)\b")
_PRE = re.compile(r"<pre.*?</pre>", re.DOTALL)
_SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)
_SVG_LINES = 16
# Runs after all other tree processors: they look for their elements at the top level.
LAST = -100


class ContentBlocks(Treeprocessor):
    """Wraps each run of top-level elements between headings in a `div` with its estimated height."""

    def run(self, root: Element) -> None:
        """Rewrites `root` in place."""
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
        """The estimated height of a run on a phone, in rem."""
        text = tostring(run, encoding="unicode", method="html")
        while HTML_PLACEHOLDER_RE.search(text):  # a stashed block can hold further placeholders
            text = HTML_PLACEHOLDER_RE.sub(lambda match: str(self.md.htmlStash.rawHtmlBlocks[int(match[1])]), text)
        text, drawings = _SVG.subn("", text)
        lines: int = sum(block.count("\n") for block in _PRE.findall(text)) + _SVG_LINES * drawings
        lines += len(_BLOCK.findall(text)) + len(re.sub(r"<[^>]+>", "", text)) // LINE_CHARACTERS
        return int((lines + 1) * LINE_REM)


class ContentBlocksExtension(Extension):
    """`markdown_extensions: [lab.site.markdown.content_blocks]`."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's own name
        """Registers the tree processor."""
        md.treeprocessors.register(ContentBlocks(md), "lab_content_blocks", LAST)


def makeExtension(**options: object) -> ContentBlocksExtension:  # noqa: N802 - Markdown's own name
    """The hook by which Markdown loads a module as an extension."""
    return ContentBlocksExtension(**options)
