"""Reads docs/03_runbooks.md as a program: sections by anchor, branches in order, the three blocks of each.

What is a heading, a fence or a comment, and which anchor a heading has, the site's own Markdown says (outline.py). A
branch is `### <n>. <title>` with one fenced block each of `{ .bash .check }`, `{ .bash .mitigate }` and
`{ .bash .validate }`; one command a line. Whatever does not fit is refused by line, never skipped.
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
    from lab.drills.runbook.outline import Block, Heading

STEPS = ("check", "mitigate", "validate")
LANGUAGE = "bash"
SECTION_LEVEL, BRANCH_LEVEL = 2, 3

_BRANCH = re.compile(r"(?P<number>\d+)\. (?P<title>.+)")
# The site renders a page's templates before its Markdown: what stands in one is not what a reader gets.
_TEMPLATE = re.compile(r"\{[%#]")


@dataclass(frozen=True)
class Branch:
    """One thing that may be wrong: how to tell, what to do, how to know that it worked. Commands as printed."""

    number: int
    title: str
    check: tuple[str, ...]
    mitigate: tuple[str, ...]
    validate: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """One alert's section: its anchor, its Markdown source and where that starts in the file."""

    anchor: str
    title: str
    text: str
    file: Path
    line: int
    parts: tuple[Heading | Block, ...] = field(default=(), repr=False)

    @property
    def sha256(self) -> str:
        """The content hash of the section's source."""
        return content_hash(self.text.encode())

    def branches(self) -> list[Branch]:
        """The branches in order; SpecError names the line that is not as the format asks."""
        found: list[Branch] = []
        heading: tuple[int, int, str] | None = None
        blocks: dict[str, tuple[str, ...]] = {}
        for line, kind, value in self._events():
            if kind == "branch":
                if heading:
                    found.append(self._branch(heading, blocks))
                number, title = value
                if int(number) != len(found) + 1:
                    raise SpecError(self.file, f"branch {number} where {len(found) + 1} was expected", line=line)
                heading, blocks = (line, int(number), title), {}
                continue
            step, commands = value[0], value[1:]
            if heading is None or step not in STEPS or step in blocks:
                raise SpecError(self.file, f"a {step!r} block has no place here", line=line)
            blocks[step] = commands
        if heading:
            found.append(self._branch(heading, blocks))
        return found

    def _branch(self, heading: tuple[int, int, str], blocks: dict[str, tuple[str, ...]]) -> Branch:
        line, number, title = heading
        missing = [step for step in STEPS if not blocks.get(step)]
        if missing:
            raise SpecError(self.file, f"branch {number} has no {' and no '.join(missing)} command", line=line)
        return Branch(number, title, blocks["check"], blocks["mitigate"], blocks["validate"])

    def _events(self) -> Iterator[tuple[int, str, tuple[str, ...]]]:
        """(line in the file, "branch" or "block", values) in order of appearance."""
        from lab.drills.runbook.outline import Heading

        for part in self.parts:
            if isinstance(part, Heading):
                if part.level == BRANCH_LEVEL and (branch := _BRANCH.fullmatch(part.title)):
                    yield part.line or self.line, "branch", (branch["number"], branch["title"])
            elif not part.closed:
                raise SpecError(self.file, "this block is never closed", line=part.line)
            elif part.classes and (part.language == LANGUAGE or set(part.classes) & set(STEPS)):
                yield part.line, "block", (self._step(part), *self._commands(part))

    def _step(self, block: Block) -> str:
        if block.language != LANGUAGE or len(block.classes) > 1:
            step = next((name for name in block.classes if name in STEPS), "check")
            raise SpecError(self.file, f"write this block as '{{ .{LANGUAGE} .{step} }}'", line=block.line)
        return block.classes[0]

    def _commands(self, block: Block) -> Iterator[str]:
        for number, line in enumerate(block.text.split("\n"), block.line + 1):
            command = line.strip()
            if command and not command.startswith("#"):
                if "{{" in command:
                    raise SpecError(self.file, f"{command!r}: the site would fill in '{{{{'", line=number)
                arguments(command, self.file, number)  # refused where it stands
                yield command


def sections(file: Path) -> list[Section]:
    """Every section of a runbook page; SpecError when it has none, or one whose anchor the site would not give it."""
    from lab.drills.runbook.outline import Heading, outline

    source = file.read_text(encoding="utf-8")
    lines = source.split("\n")
    for number, line in enumerate(lines, 1):
        if template := _TEMPLATE.search(line):
            raise SpecError(file, f"{template[0]!r} is the site's template language; runbooks have none", line=number)
    parts = outline(source)
    tops = [(at, part) for at, part in enumerate(parts) if isinstance(part, Heading) and part.level <= SECTION_LEVEL]
    ends = [(at, _line(file, heading)) for at, heading in tops[1:]] + [(len(parts), len(lines) + 1)]
    found = []
    for (at, heading), (after, end) in zip(tops, ends, strict=False):  # without a heading there is an end too many
        if heading.level == SECTION_LEVEL:
            start = _line(file, heading)
            if "{{" in heading.title:
                raise SpecError(file, f"the site would fill in the heading {heading.title!r}", line=start)
            text = "\n".join(lines[start - 1 : end - 1]).strip() + "\n"
            found.append(Section(heading.anchor, heading.title, text, file, start, parts[at + 1 : after]))
    if not found:
        raise SpecError(file, "has no section; a runbook's section begins with '## ' and the alert's name")
    return found


def _line(file: Path, heading: Heading) -> int:
    if heading.line is None:
        raise SpecError(file, f"the heading {heading.title!r} does not begin its line, so it can begin no section")
    return heading.line


def find(file: Path, runbook_url: str) -> Section:
    """The section of `file` that a runbook_url leads to: its path must be the page's, its fragment a section's anchor.

    Raises SpecError for a URL whose path is another page's, and for a fragment without a section.
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
