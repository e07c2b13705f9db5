"""Fills in the shared branches of a runbook page. Each resulting line keeps its source file and line number.

A branch that several sections need is written once, in a file in `templates/` beside the page with the page's name. A
section includes it by its title and gives a value for each `$name` in it:

    ### 2. {{ branch("A $service replica is down", recovered="FeedLatencyP99Burn", service="feed") }}

In a shared branch, the line `$recovered` is replaced with commands that verify that the alert has recovered. They are
those of the part that `recovered` names, in the same file; `recovered=""` adds none. A section's own branches include
the same commands with `{{ recovered("FeedLatencyP99Burn") }}`.

On the site, `branch` and `recovered` are macros (lab/site/views/runbook_branches.py). Programs read the page with
`page_lines`, which evaluates the same calls with the same functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import Any

from jinja2 import Environment, StrictUndefined, TemplateError

from lab.errors import SpecError, UsageError

TEMPLATES = "templates"  # MkDocs publishes nothing from a folder of this name
RECOVERED = "recovered"
PART_LEVEL = 2

_CALL = re.compile(r"\{\{\W*(?:branch|recovered)\s*\(")
_INCLUDE = re.compile(r"(?P<before>(?:### \d+\. )?)\{\{ (?P<call>(?:branch|recovered)\(.*\)) \}\}")
_JINJA = Environment(autoescape=False, undefined=StrictUndefined)  # noqa: S701 - Markdown, as on the site


@dataclass(frozen=True)
class Line:
    """One line of the filled-in page, with its source file and line number (from 1)."""

    text: str
    file: Path
    number: int


@dataclass(frozen=True)
class Part:
    """A second-level section of a shared file: its title, its lines, and the lines inside its fenced blocks."""

    title: Line
    lines: tuple[Line, ...]
    commands: tuple[Line, ...]


class Shared:
    """The shared branches of one page. `used` collects the titles of the parts that have been included."""

    def __init__(self, page: Path) -> None:
        """Reads the shared file of `page`. Raises SpecError with the line of a format error."""
        self.file = page.parent / TEMPLATES / page.name
        self.parts = _parts(self.file, _source(self.file))
        self.used: set[str] = set()

    def branch(self, title: str, *, recovered: str | None = None, **values: str) -> list[Line]:
        """A shared branch: its title, then its lines. Raises UsageError for an unknown title or wrong values."""
        part = self._part(title)
        values |= {} if recovered is None else {RECOVERED: recovered}
        commands = self._commands(recovered) if recovered else ()
        lines = [part.title]
        for line in part.lines:
            lines += commands if line.text == f"${RECOVERED}" else (line,)
        return _substituted(lines, values, _names((part.title, *part.lines, *commands)))

    def recovered(self, name: str, **values: str) -> list[Line]:
        """The commands that verify that an alert has recovered. Raises UsageError as `branch` does."""
        commands = self._commands(name)
        return _substituted(commands, values, _names(commands))

    def require_used(self) -> None:
        """Raises SpecError for the first part that no section includes."""
        for title, part in self.parts.items():
            if title not in self.used:
                raise SpecError(self.file, f"no section includes {title!r}; remove it", line=part.title.number)

    def _commands(self, name: str) -> tuple[Line, ...]:
        if not (commands := self._part(name).commands):
            raise UsageError(f"{name!r} in {TEMPLATES}/{self.file.name} has no command")
        return commands

    def _part(self, title: str) -> Part:
        if title not in self.parts:
            close = get_close_matches(title, self.parts, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise UsageError(f"{TEMPLATES}/{self.file.name} has no {title!r}{hint}")
        self.used.add(title)
        return self.parts[title]


def page_lines(page: Path) -> tuple[Line, ...]:
    """The lines of a runbook page with its includes filled in.

    Raises SpecError with file and line for an include that is unknown, lacks a value or shares its line with other
    text, and for a shared branch that no section includes.
    """
    return _filled(page, page.read_text(encoding="utf-8"), _source(page.parent / TEMPLATES / page.name))


@lru_cache(maxsize=8)
def _filled(page: Path, source: str, _shared_source: str) -> tuple[Line, ...]:
    shared = Shared(page)
    lines = tuple(filled for line in _numbered(page, source) for filled in _fill(line, shared))
    shared.require_used()
    return lines


def _fill(line: Line, shared: Shared) -> list[Line]:
    if not _CALL.search(line.text):
        return [line]
    include = _INCLUDE.fullmatch(line.text)
    if include is None:
        problem = "an include must be alone on its line, as '### 1. {{ branch(…) }}' or '{{ recovered(…) }}'"
        raise SpecError(line.file, problem, line=line.number)
    before, call = include["before"], include["call"]
    try:
        evaluate: Callable[..., Any] = _JINJA.compile_expression(call)
        first, *rest = evaluate(branch=shared.branch, recovered=shared.recovered)
    except (TemplateError, TypeError, UsageError) as error:
        raise SpecError(line.file, f"{call}: {error}", line=line.number) from error
    return [Line(before + first.text, line.file, line.number) if before else first, *rest]


def _substituted(lines: Iterable[Line], values: dict[str, str], names: set[str]) -> list[Line]:
    if missing := sorted(names - values.keys()):
        raise UsageError(f"give a value for {', '.join(missing)}")
    if unknown := sorted(values.keys() - names):
        raise UsageError(f"unknown value for ${', $'.join(unknown)}: the included text does not use it")
    return [Line(Template(line.text).substitute(values), line.file, line.number) for line in lines]


def _names(lines: Iterable[Line]) -> set[str]:
    return {name for line in lines for name in Template(line.text).get_identifiers()}


def _source(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _numbered(file: Path, source: str) -> list[Line]:
    return [Line(text, file, number) for number, text in enumerate(source.split("\n"), 1)]


@lru_cache(maxsize=8)
def _parts(file: Path, source: str) -> dict[str, Part]:
    from lab.drills.runbook.outline import Block, Heading, outline

    lines = _numbered(file, source)
    for line in lines:
        if not Template(line.text).is_valid():
            raise SpecError(file, "'$' must begin the name of a value; write '$$' for a literal '$'", line=line.number)
    found = outline(source) if source else ()
    tops = [(one, one.line) for one in found if isinstance(one, Heading) and one.level <= PART_LEVEL and one.line]
    ends = [line for _, line in tops[1:]] + [len(lines) + 1]
    parts: dict[str, Part] = {}
    for (heading, start), end in zip(tops, ends, strict=False):
        if heading.level < PART_LEVEL:
            continue
        title = Line(lines[start - 1].text.lstrip("# "), file, start)
        if title.text in parts:
            raise SpecError(file, f"the part {title.text!r} is defined twice", line=start)
        blocks = [one for one in found if isinstance(one, Block) and one.text and start < one.line < end]
        commands = [lines[at] for one in blocks for at in range(one.line, one.line + one.text.count("\n") + 1)]
        parts[title.text] = Part(title, tuple(_stripped(lines[start : end - 1])), tuple(commands))
    return parts


def _stripped(lines: list[Line]) -> list[Line]:
    """The lines without trailing blank lines."""
    last = max((at for at, line in enumerate(lines, 1) if line.text.strip()), default=0)
    return lines[:last]
