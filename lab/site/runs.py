"""A Markdown extension: what stands between two headings is one element, which a browser can leave out of a layout.

Headings stay where they are, so that a page's contents, its anchors and the theme's own styles find them. A long page,
every alert's section of the runbook, would otherwise be styled and laid out as a whole before anybody has scrolled.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor

HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
CLASS = "lab-run"
# After every other one, which would look for its elements at the top.
LAST = -100


class Runs(Treeprocessor):
    """Wraps each run of elements between headings of the document's top level."""

    def run(self, root: Element) -> None:
        """Changes `root` in place."""
        run: Element | None = None
        children = list(root)
        for child in children:
            root.remove(child)
        for child in children:
            if child.tag in HEADINGS:
                root.append(child)
                run = None
                continue
            if run is None:
                run = SubElement(root, "div", {"class": CLASS})
            run.append(child)


class RunsExtension(Extension):
    """`markdown_extensions: [lab.site.runs]`."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's own name
        """Registers the processor."""
        md.treeprocessors.register(Runs(md), "lab_runs", LAST)


def makeExtension(**options: object) -> RunsExtension:  # noqa: N802 - Markdown's own name
    """What Markdown asks a module for."""
    return RunsExtension(**options)
