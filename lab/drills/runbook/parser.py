"""Parses docs/03_runbooks.md: sections by anchor, their branches in order, and the commands of each branch.

The site's own Markdown determines headings, fences, comments and anchors (outline.py). A branch is `### <n>. <title>`
with one fenced block each of `{ .bash .check }`, `{ .bash .mitigate }` and `{ .bash .validate }`; one command per line.
Shared branches are filled in first (includes.py), so that the text that is executed and hashed is the text that people
read. A format error raises SpecError with its source file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lab.drills.runbook.command_line import arguments
from lab.drills.runbook.content_hash import content_hash
from lab.errors import SpecError

if TYPE_CHECKING:
    from lab.drills.runbook.includes import Line
    from lab.drills.runbook.outline import Block, Heading

STEPS = ("check", "mitigate", "validate")
LANGUAGE = "bash"
SECTION_LEVEL, BRANCH_LEVEL = 2, 3

_BRANCH = re.compile(r"(?P<number>\d+)\. (?P<title>.+)")
# The site renders templates before Markdown, so readers would not see the text of a template.
_TEMPLATE = re.compile(r"\{[%#]")


@dataclass(frozen=True)
class Branch:
    """One possible cause: the commands that check for it, mitigate it, and validate the mitigation, as printed."""

    number: int
    title: str
    check: tuple[str, ...]
    mitigate: tuple[str, ...]
    validate: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """One alert's section: its anchor, its Markdown with all includes filled in, and where it starts in the file.

    `page` holds the lines of the whole page; the lines of `parts` count from 1 in it.
    """

    anchor: str
    title: str
    text: str
    file: Path
    line: int
    parts: tuple[Heading | Block, ...] = field(default=(), repr=False)
    page: tuple[Line, ...] = field(default=(), repr=False)

    @property
    def sha256(self) -> str:
        """The content hash of the section as a person reads it."""
        return content_hash(self.text.encode())

    def branches(self) -> list[Branch]:
        """The branches in order. Raises SpecError with the first line that violates the format."""
        found: list[Branch] = []
        heading: tuple[int, int, str] | None = None
        blocks: dict[str, tuple[str, ...]] = {}
        for line, kind, value in self._events():
            if kind == "branch":
                if heading:
                    found.append(self._branch(heading, blocks))
                number, title = value
                if int(number) != len(found) + 1:
                    raise self._refusal(f"branch {number} where {len(found) + 1} was expected", line)
                heading, blocks = (line, int(number), title), {}
                continue
            step, commands = value[0], value[1:]
            if heading is None or step not in STEPS or step in blocks:
                raise self._refusal(f"unexpected {step!r} block; a branch has one each of {', '.join(STEPS)}", line)
            blocks[step] = commands
        if heading:
            found.append(self._branch(heading, blocks))
        return found

    def _branch(self, heading: tuple[int, int, str], blocks: dict[str, tuple[str, ...]]) -> Branch:
        line, number, title = heading
        missing = [step for step in STEPS if not blocks.get(step)]
        if missing:
            raise self._refusal(f"branch {number} has no {' and no '.join(missing)} command", line)
        return Branch(number, title, blocks["check"], blocks["mitigate"], blocks["validate"])

    def _events(self) -> Iterator[tuple[int, str, tuple[str, ...]]]:
        """(line of the page, "branch" or "block", values) in order of appearance."""
        from lab.drills.runbook.outline import Heading

        for part in self.parts:
            if isinstance(part, Heading):
                if part.level == BRANCH_LEVEL and (branch := _BRANCH.fullmatch(part.title)):
                    yield _line(self.file, part), "branch", (branch["number"], branch["title"])
            elif not part.closed:
                raise self._refusal("this block is never closed", part.line)
            elif part.classes and (part.language == LANGUAGE or set(part.classes) & set(STEPS)):
                yield part.line, "block", (self._step(part), *self._commands(part))

    def _step(self, block: Block) -> str:
        if block.language != LANGUAGE or len(block.classes) > 1:
            step = next((name for name in block.classes if name in STEPS), "check")
            raise self._refusal(f"write this block as '{{ .{LANGUAGE} .{step} }}'", block.line)
        return block.classes[0]

    def _commands(self, block: Block) -> Iterator[str]:
        for number, line in enumerate(block.text.split("\n"), block.line + 1):
            command = line.strip()
            if command and not command.startswith("#"):
                if "{{" in command:
                    raise self._refusal(f"{command!r} contains '{{{{', which the site would fill in", number)
                written = self.page[number - 1]
                arguments(command, written.file, written.number)  # raises SpecError with its source line
                yield command

    def _refusal(self, problem: str, line: int) -> SpecError:
        written = self.page[line - 1]
        return SpecError(written.file, problem, line=written.number)


def sections(file: Path) -> list[Section]:
    """Every section of a runbook page. Raises SpecError when it has none, and for template syntax outside includes."""
    from lab.drills.runbook.includes import page_lines
    from lab.drills.runbook.outline import Heading, outline

    page = page_lines(file)
    for line in page:
        if template := _TEMPLATE.search(line.text):
            problem = f"{template[0]!r} is template syntax, which a runbook must not contain"
            raise SpecError(line.file, problem, line=line.number)
    parts = outline("\n".join(line.text for line in page))
    tops = [(at, part) for at, part in enumerate(parts) if isinstance(part, Heading) and part.level <= SECTION_LEVEL]
    ends = [(at, _line(file, heading)) for at, heading in tops[1:]] + [(len(parts), len(page) + 1)]
    found = []
    for (at, heading), (after, end) in zip(tops, ends, strict=False):  # without headings, `ends` still has one element
        if heading.level == SECTION_LEVEL:
            start = _line(file, heading)
            number = page[start - 1].number
            if "{{" in heading.title:
                raise SpecError(
                    file, f"the heading {heading.title!r} contains '{{{{', which the site would fill in", line=number
                )
            text = "\n".join(one.text for one in page[start - 1 : end - 1]).strip() + "\n"
            found.append(Section(heading.anchor, heading.title, text, file, number, parts[at + 1 : after], page))
    if not found:
        raise SpecError(file, "has no section; a runbook's section begins with '## ' and the alert's name")
    return found


def _line(file: Path, heading: Heading) -> int:
    if heading.line is None:
        raise SpecError(file, f"the heading {heading.title!r} does not begin its line, as a section or a branch must")
    return heading.line


def find(file: Path, runbook_url: str) -> Section:
    """The section of `file` that a runbook_url links to: its path is the page's, its fragment the section's anchor.

    Raises SpecError for the path of another page, and for a fragment that is not the anchor of a section.
    """
    url = urlsplit(runbook_url)
    address = f"/{file.stem}/"  # as MkDocs publishes the file
    if not url.path.endswith(address):
        raise SpecError(file, f"the runbook_url {runbook_url!r} leads to another page; its path must end in {address}")
    anchor = unquote(url.fragment)
    for section in sections(file):
        if anchor and section.anchor == anchor:
            return section
    raise SpecError(file, f"no section for the runbook_url {runbook_url!r}")
