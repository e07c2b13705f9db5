"""A Markdown extension that wraps the content between two headings in one element, so a browser can skip its layout.

Without it a browser lays out all of a long page, such as the runbooks, before the reader scrolls. Headings stay outside
the wrappers, where the table of contents, anchors and the theme's styles expect them.
"""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree.ElementTree import Element, SubElement, tostring

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import HTML_PLACEHOLDER_RE

HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
CLASS = "lab-run"
# Height and width of a line, fitted to measured pages: slightly low on a phone, 1.3 times too high on a desktop.
LINE_REM, LINE_CHARACTERS = 0.9, 34
_BLOCKS = {"tr", "li", "p", "dt", "dd", "pre", "summary", "figure", "div"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
# Drawn, but not as text.
_UNREAD = {"script", "style", "template", "noscript"}
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
        """The estimated height of a run, in rem."""
        text = tostring(run, encoding="unicode", method="html")
        while HTML_PLACEHOLDER_RE.search(text):  # a stashed block can hold further placeholders
            text = HTML_PLACEHOLDER_RE.sub(lambda match: str(self.md.htmlStash.rawHtmlBlocks[int(match[1])]), text)
        measure = _Measure()
        measure.feed(text)
        measure.close()
        return int((measure.lines + 1) * LINE_REM)


class _Measure(HTMLParser):
    """Counts the lines that a browser shows at load.

    Of a closed `details` it shows the `summary` alone, and nothing of an element with the `hidden` attribute.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[tuple[str, bool]] = []  # each open element, and whether its content shows
        self._characters = self._lines = 0

    @property
    def lines(self) -> int:
        """Lines of all blocks, drawings and wrapped text so far."""
        return self._lines + self._characters // LINE_CHARACTERS

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Counts a block or drawing, unless it is hidden."""
        parent, shows = self._open[-1] if self._open else ("", True)
        if parent == "details" and tag == "summary":
            shows = self._open[-2][1] if len(self._open) > 1 else True
        names = {name for name, _ in attrs}
        shows = shows and "hidden" not in names
        if shows and tag in _BLOCKS:
            self._lines += 1
        if shows and tag == "svg" and not self._is_small(dict(attrs)):
            self._lines += _SVG_LINES
        if tag not in _VOID:
            closed = tag == "details" and "open" not in names
            self._open.append((tag, shows and tag not in _UNREAD and tag != "svg" and not closed))

    def _is_small(self, attributes: dict[str, str | None]) -> bool:
        """Whether a drawing stands in a line of text, as the samples in a chart's key do."""
        height = attributes.get("height") or ""
        return height.isdecimal() and int(height) < 24

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element without content."""
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Closes the element, with any inside it that were left open."""
        if any(name == tag for name, _ in self._open):
            while self._open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        """Counts text that shows, by the line in a `pre`."""
        if self._open and not self._open[-1][1]:
            return
        if any(name == "pre" for name, _ in self._open):
            self._lines += data.count("\n")
        else:
            self._characters += len(data.strip())


class ContentBlocksExtension(Extension):
    """`markdown_extensions: [lab.site.markdown.content_blocks]`."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's own name
        """Registers the tree processor."""
        md.treeprocessors.register(ContentBlocks(md), "lab_content_blocks", LAST)


def makeExtension(**options: object) -> ContentBlocksExtension:  # noqa: N802 - Markdown's own name
    """The hook by which Markdown loads a module as an extension."""
    return ContentBlocksExtension(**options)
