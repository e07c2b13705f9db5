"""Outlines a Markdown page: its headings with their anchors on the site, and its fenced blocks, with line numbers.

The page is converted by the site's own Markdown with the extensions of mkdocs.yml, so headings, comments, fences and
heading ids are those of the published page. Markdown keeps no line numbers: each line that may begin a heading or a
runbook step is marked with its number, and the marks are removed before ids are assigned.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import Element

import yaml
from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import HTML_PLACEHOLDER_RE

from lab.paths import ROOT

CONFIG = ROOT / "mkdocs.yml"
BUILT_IN = ("toc", "tables", "fenced_code")  # what MkDocs adds to the extensions of its configuration
LEVELS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
FENCE = "pymdownx.superfences"
# The lab's own extensions change only the presentation of a finished page, so they are not used here.
OURS = "lab."
# Treeprocessors run from high to low: inline (20), attr_list (8), toc (5).
BEFORE_INLINE, BEFORE_IDS, AFTER_IDS = 21, 15, 4

TocToken = dict[str, Any]  # a heading as Markdown's table of contents holds it, with its `children`
ExtensionOptions = dict[str, Any]  # of one Markdown extension, as mkdocs.yml has them

_MARK = re.compile("\ue000(\\d+)\ue001")
_HASHES = re.compile(r"#{1,6} *")
_UNDERLINE = re.compile(r"[=-]+ *$")
_BRACED = re.compile(r"^[>\s]*(?:`{3,}|~{3,})[^`]*\{.*(?=\}\s*$)")
_LINE = "data-line"


@dataclass(frozen=True)
class Heading:
    """A heading. `line` counts from 1 in the file; None when it does not begin its line, as in a quotation."""

    level: int
    anchor: str
    title: str
    line: int | None


@dataclass(frozen=True)
class Block:
    """A fenced block with an attribute list, e.g. `{ .bash .check }`. `line` is that of its fence.

    The site does not treat an unclosed fence as a block: `closed` is False, and only `line` is set.
    """

    line: int
    language: str = ""
    classes: tuple[str, ...] = ()
    text: str = ""
    closed: bool = True


@lru_cache(maxsize=8)
def outline(source: str) -> tuple[Heading | Block, ...]:
    """The headings, and the blocks with an attribute list, of a page in order. `source` is the file's text."""
    from mkdocs.utils.meta import get_data

    source = source.replace("\r\n", "\n").replace("\r", "\n")
    text = get_data(source)[0]
    first = source.count("\n") - text.count("\n") + 1
    reader = _Reader()
    lines = text.split("\n")
    md = Markdown(extensions=[*_extensions(), reader], extension_configs=_options(reader))
    md.convert("\n".join(_marked(line, lines[at + 1 : at + 2], at + first) for at, line in enumerate(lines)))
    return tuple(reader.found)


def _marked(line: str, following: list[str], number: int) -> str:
    if hashes := _HASHES.match(line):
        return f"{hashes[0]}\ue000{number}\ue001{line[hashes.end() :]}"
    if following and _UNDERLINE.match(following[0]) and line.strip() and not line[0].isspace():
        return f"\ue000{number}\ue001{line}"
    if braced := _BRACED.match(line):
        return f"{braced[0]} {_LINE}={number} {line[braced.end() :]}"
    return line


class _Reader(Extension):
    """A Markdown extension that collects headings and blocks, with three tree processors."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: dict[str, Block] = {}
        self.lines: dict[Element, int] = {}
        self.unclosed: dict[Element, Block] = {}
        self.found: list[Heading | Block] = []

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's own name
        """Registers the tree processors."""
        for name, priority, work in (
            ("lab_unclosed", BEFORE_INLINE, self._find_unclosed),
            ("lab_lines", BEFORE_IDS, self._take_marks),
            ("lab_outline", AFTER_IDS, lambda root: self._collect(md, root)),
        ):
            step = Treeprocessor(md)
            step.run = work  # type: ignore[method-assign]
            md.treeprocessors.register(step, name, priority)

    def fence(self, text: str, language: str, _css: str, _options: Any, _md: Markdown, **more: Any) -> str:
        """The formatter that superfences calls for each block: records the block, and returns a placeholder for it."""
        line = (more.get("attrs") or {}).get(_LINE)
        if line is None:
            return "<pre></pre>"
        # A fence inside another one is part of its text, without the mark.
        text = re.sub(rf" {_LINE}=\d+ (?=\}}\s*$)", "", _MARK.sub("", text), flags=re.M)
        stands = f"<pre>{line}</pre>"
        self.blocks[stands] = Block(int(line), language, tuple(more.get("classes") or ()), text)
        return stands

    def _find_unclosed(self, root: Element) -> None:
        for element in root.iter():
            text = "" if element.tag == "code" else element.text or ""
            for line in text.split("\n"):
                if _BRACED.match(line) and (found := re.search(rf" {_LINE}=(\d+) ", line)):
                    self.unclosed[element] = Block(int(found[1]), closed=False)

    def _take_marks(self, root: Element) -> None:
        for element in root.iter():
            if element.tag in LEVELS and (mark := _MARK.match(element.text or "")):
                self.lines[element] = int(mark[1])
            for part in element.iter() if element.tag in LEVELS else ():
                part.text, part.tail = (text and _MARK.sub("", text) for text in (part.text, part.tail))

    def _collect(self, md: Markdown, root: Element) -> None:
        titles = {token["id"]: html.unescape(token["name"]) for token in _flat(md.toc_tokens)}  # type: ignore[attr-defined]
        for element in root.iter():
            if level := LEVELS.get(element.tag):
                anchor = element.get("id", "")
                self.found.append(Heading(level, anchor, titles.get(anchor, ""), self.lines.get(element)))
            elif element in self.unclosed:
                self.found.append(self.unclosed[element])
            elif stash := HTML_PLACEHOLDER_RE.fullmatch((element.text or "").strip()):
                stands = str(md.htmlStash.rawHtmlBlocks[int(stash[1])])
                if stands in self.blocks:
                    self.found.append(self.blocks[stands])


def _flat(tokens: list[TocToken]) -> Iterator[TocToken]:
    for token in tokens:
        yield token
        yield from _flat(token["children"])


class _Loader(yaml.SafeLoader):
    """Reads values with MkDocs' tag !ENV as null; no Markdown option uses it."""


_Loader.add_constructor("!ENV", lambda _loader, _node: None)


@lru_cache(maxsize=1)
def _configured() -> dict[str, ExtensionOptions]:
    """The Markdown extensions of the site, each with its options, in order."""
    given = yaml.load(CONFIG.read_text(), _Loader)["markdown_extensions"]  # noqa: S506 - a SafeLoader
    named = [next(iter(one.items())) if isinstance(one, dict) else (one, None) for one in given]
    return {name: options or {} for name, options in named if not name.startswith(OURS)}


def _extensions() -> list[str]:
    return list(dict.fromkeys((*BUILT_IN, *_configured())))


def _options(reader: _Reader) -> dict[str, ExtensionOptions]:
    every = {"name": "*", "class": "", "format": reader.fence}
    found = {name: dict(options) for name, options in _configured().items()}
    return {**found, FENCE: {**found.get(FENCE, {}), "custom_fences": [every]}}
